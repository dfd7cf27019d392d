/**
 * What is published of a project's settings, made from their one table: `docs/holdfast.schema.json`, and the table in
 * `docs/configuration.md`. Run by itself, it writes both.
 */
import { fileURLToPath } from "node:url";
import { projectSchema, SETTINGS } from "../../src/mod.ts";

/** Where the schema is. */
export const PROJECT_SCHEMA = fileURLToPath(
  new URL("../../docs/holdfast.schema.json", import.meta.url),
);

/** Where the table is. */
export const CONFIGURATION_PAGE = fileURLToPath(
  new URL("../../docs/configuration.md", import.meta.url),
);

const TABLE = /(<!-- settings -->\n)[\s\S]*?(<!-- \/settings -->)/;

/** The page with the table as it should be, not yet formatted. */
export function withSettings(page: string): string {
  return page.replace(TABLE, (_all, begin, end) => `${begin}\n${settingsTable()}\n${end}`);
}

/** A text as `deno fmt` leaves it. */
export async function formatted(text: string, extension: "md" | "json"): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", `--ext=${extension}`, "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error(`deno fmt cannot format this ${extension}`);
  return new TextDecoder().decode(stdout);
}

function settingsTable(): string {
  const properties = projectSchema().properties as Record<string, Shape>;
  const rows = Object.values(SETTINGS).map(({ field, variable, byDefault, about }) => {
    const value = byDefault === undefined ? "" : `\`${JSON.stringify(byDefault)}\``;
    return `| \`${field}\` | ${
      shapeText(properties[field]!)
    } | ${value} | \`${variable}\` | ${about} |\n`;
  });
  const head = "| setting | what it may be | default | variable | means |\n";
  return `${head}| --- | --- | --- | --- | --- |\n${rows.join("")}`;
}

interface Shape {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

function shapeText({ type = "value", enum: choices, minimum, maximum }: Shape): string {
  if (choices !== undefined) return choices.map((each) => `\`"${each}"\``).join(", ");
  if (type === "array") return "list of strings";
  return type === "integer" ? `${minimum} to ${maximum}` : type;
}

if (import.meta.main) {
  const schema = JSON.stringify(projectSchema(), null, 2);
  await Deno.writeTextFile(PROJECT_SCHEMA, await formatted(schema, "json"));
  const page = await Deno.readTextFile(CONFIGURATION_PAGE);
  await Deno.writeTextFile(CONFIGURATION_PAGE, await formatted(withSettings(page), "md"));
}
