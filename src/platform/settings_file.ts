/**
 * Files that people write settings in: `.json`, `.yaml` (or `.yml`) and `.toml`, by the ending of their name.
 */
import { extname } from "node:path";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { messageOf } from "../domain/errors.ts";
import { decodeText } from "../domain/given_text.ts";

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  ".json": (text) => JSON.parse(text),
  ".yaml": (text) => parseYaml(text),
  ".yml": (text) => parseYaml(text),
  ".toml": (text) => parseToml(text),
};

/** Whether the name of `file` ends like that of a file of settings. */
export function isSettingsFile(file: string): boolean {
  return Object.hasOwn(PARSERS, extname(file).toLowerCase());
}

/** The content of a file of settings. @throws TypeError with the reason when it cannot be read. */
export async function readSettingsFile(file: string): Promise<unknown> {
  const parse = PARSERS[extname(file).toLowerCase()];
  if (parse === undefined) {
    throw new TypeError(`its name ends in none of ${Object.keys(PARSERS).join(", ")}`);
  }
  const text = decodeText(await Deno.readFile(file));
  try {
    return parse(text);
  } catch (thrown) {
    throw new TypeError(messageOf(thrown).trim().replace(/\s*\n\s*/g, " "), { cause: thrown });
  }
}
