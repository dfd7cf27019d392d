/**
 * What `src/mod.ts` exports, as `deno doc` tells it. Run by itself, it pins that in `test/public_api.txt`:
 *
 *     deno run --allow-read --allow-write --allow-run test/support/public_api.ts
 */
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where the exports are pinned, one a line. */
export const PINNED = new URL("../public_api.txt", import.meta.url);

/** An export. */
export interface Exported {
  readonly name: string;
  /** Several when a name is a type and a value. */
  readonly declarations: readonly Declaration[];
}

/** One meaning of a name. */
export interface Declaration {
  /** `class`, `function`, `interface`, `typeAlias`, `variable`. */
  readonly kind: string;
  readonly def: { readonly properties?: readonly Property[] };
}

/** A property of an interface or a class. */
export interface Property {
  readonly name: string;
  readonly optional?: boolean;
  readonly jsDoc?: { readonly doc?: string };
}

/** Everything that `src/mod.ts` exports. */
export async function exports(): Promise<readonly Exported[]> {
  const { code, stdout, stderr } = await deno("doc", "--json", "src/mod.ts");
  if (code !== 0) throw new Error(stderr);
  const [module] = Object.values(JSON.parse(stdout).nodes) as { symbols: readonly Exported[] }[];
  return module!.symbols;
}

/** The lines of `public_api.txt` that `exported` asks for. */
export function linesOf(exported: readonly Exported[]): string[] {
  return exported.map(({ name, declarations }) => {
    const kinds = new Set(declarations.map(({ kind }) => kind));
    return `${name} ${[...kinds].join(" ")}`;
  }).sort();
}

/** What a run of `deno` has said. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `deno` in the checkout's folder. */
export async function deno(...args: string[]): Promise<Said> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

if (import.meta.main) {
  await Deno.writeTextFile(PINNED, `${linesOf(await exports()).join("\n")}\n`);
}
