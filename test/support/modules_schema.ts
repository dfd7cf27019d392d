/**
 * The JSON Schema of a modules file, for editors. Run by itself, it writes `docs/modules.schema.json`:
 *
 *     deno run --allow-write --allow-run test/support/modules_schema.ts
 */
import { moduleListSchema } from "../../src/patterns/module_list.ts";

/** Where the schema is. */
export const SCHEMA_FILE = new URL("../../docs/modules.schema.json", import.meta.url);

if (import.meta.main) {
  await Deno.writeTextFile(SCHEMA_FILE, JSON.stringify(moduleListSchema(), null, 2));
  const format = new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", SCHEMA_FILE.href] });
  const { success, stderr } = await format.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
