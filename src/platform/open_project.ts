/**
 * A project as it stands around this process: its file in a folder, its handlers beside it, and the environment.
 */
import { dirname, isAbsolute, join } from "node:path";
import { messageOf, quotePath } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { isDatabaseAddress } from "../domain/queue_address.ts";
import type { ProjectConfig } from "../project/project_config.ts";
import {
  PROJECT_VARIABLES,
  type ProjectSources,
  type ResolvedProject,
  resolveProject,
} from "../project/resolve_project.ts";
import { readEnvironment } from "./environment.ts";
import { readSettingsFile } from "./settings_file.ts";

/** Where a project is. */
export interface OpenProjectOptions {
  /** The path of its file, `.toml`, `.json` or `.yaml`; default `holdfast.toml`, `.json` or `.yaml` in `folder`, if there. */
  readonly file?: string;
  /** The folder to look in; default the working folder. */
  readonly folder?: string;
  /** Environment variables; default those of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const OPEN_OPTIONS = optionNames<OpenProjectOptions>({ file: true, folder: true, env: true });

/** A project whose file has been read. */
export interface Project {
  /** The path of its file; `null` when there is none. */
  readonly file: string | null;
  /** What is in force with these options. @throws TypeError with the wrong setting, its value and what is allowed */
  resolve(options?: Partial<ProjectConfig>): ResolvedProject;
}

/** The names of a project's file. */
export const PROJECT_FILES: readonly string[] = Object.freeze(
  ["toml", "json", "yaml", "yml"].map((ending) => `holdfast.${ending}`),
);

/** The names of a handler file that need not be named. */
const HANDLER_FILES = ["handlers.ts", "handlers.js"];

/** Reads the project. @throws TypeError when its file cannot be read, or there are two */
export async function openProject(where: OpenProjectOptions = {}): Promise<Project> {
  checkOptions(where, OPEN_OPTIONS, "a project");
  const { file: named, folder = ".", env = readEnvironment(PROJECT_VARIABLES) } = where;
  const path = named ?? await findFile(folder);
  const place = path === null ? folder : dirname(path);
  const file = path === null ? undefined : await read(path);
  const [handlers] = await existing(place, HANDLER_FILES);
  return {
    file: path,
    resolve: (options) => {
      const resolved = resolveProject({ options, env, file });
      const { config } = resolved;
      const isNamed = (config.handlers ?? config.modules) !== undefined;
      return isNamed ? resolved : { ...resolved, config: { ...config, handlers } };
    },
  };
}

/** What is in force: options, then environment, then the project's file, then defaults. @throws TypeError as `openProject` and `resolve` */
export async function readProject(
  { options, ...where }: OpenProjectOptions & { readonly options?: Partial<ProjectConfig> } = {},
): Promise<ProjectConfig> {
  return (await openProject(where)).resolve(options).config;
}

async function findFile(folder: string): Promise<string | null> {
  const found = await existing(folder, PROJECT_FILES);
  if (found.length > 1) {
    const names = found.map(quotePath).join(" and ");
    throw new TypeError(`Cannot configure Holdfast from ${names}: one file is needed`);
  }
  return found[0] ?? null;
}

async function existing(folder: string, names: readonly string[]): Promise<string[]> {
  const paths = names.map((name) => join(folder, name));
  const are = await Promise.all(paths.map(isFile));
  return paths.filter((_path, index) => are[index]);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

async function read(path: string): Promise<ProjectSources["file"]> {
  const name = quotePath(path);
  const folder = dirname(path);
  const pathOf = (inner: string): string =>
    isDatabaseAddress(inner) || isAbsolute(inner) ? inner : join(folder, inner);
  try {
    return { name, content: await readSettingsFile(path) ?? {}, pathOf };
  } catch (thrown) {
    throw new TypeError(`Cannot configure Holdfast from ${name}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}
