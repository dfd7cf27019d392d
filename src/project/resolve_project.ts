/**
 * A project's settings, from options, environment and file: of each, the first that says something counts.
 */
import { z } from "zod";
import { describeProblems, onlyFields } from "../worker/schema_problems.ts";
import type { ProjectConfig } from "./project_config.ts";
import { CHECKED_SETTINGS as SETTINGS } from "./settings.ts";

/** Where a project's settings may come from. */
export interface ProjectSources {
  /** Takes precedence over everything else. */
  readonly options?: Partial<ProjectConfig>;
  /** Environment variables; an empty one counts as unset. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * The content of a file, its name for messages, and what a path in it is from here. Its fields are those of the options in
   * snake_case.
   */
  readonly file?: {
    readonly name: string;
    readonly content: unknown;
    readonly pathOf?: (path: string) => string;
  };
}

/** Who said what a setting is. */
export type SettingSource = "option" | "environment" | "file" | "default";

/** What is in force, and who said so. */
export interface ResolvedProject {
  /** Every setting. */
  readonly config: ProjectConfig;
  /** Who said what each is. */
  readonly from: { readonly [Name in keyof ProjectConfig]: SettingSource };
}

type Name = keyof ProjectConfig;
type Given = Partial<Record<Name, unknown>>;

const NAMES = Object.keys(SETTINGS) as Name[];

const SCHEMA = onlyFields({
  ...Object.fromEntries(NAMES.map((name) => [SETTINGS[name].field, SETTINGS[name].schema])),
  $schema: z.string("the address of a schema is needed"),
}).partial();

/** The names here of the Python system's fields. */
const PYTHON_FIELDS: Readonly<Record<string, string>> = Object.freeze({
  lease_duration_seconds: "lease_duration_ms, in milliseconds",
  poll_interval_seconds: "poll_interval_ms, in milliseconds",
  max_retries:
    "max_attempts of a task, or `maxAttempts` of its handler: executions, the first included",
});

/** The environment variables that are looked at. */
export const PROJECT_VARIABLES: readonly string[] = Object.freeze(
  NAMES.map((name) => SETTINGS[name].variable),
);

/**
 * The settings from options, then environment, then file, then defaults.
 *
 * @throws TypeError that names every wrong setting of the first source that has one: its name, its value, and what is
 * allowed.
 */
export function resolveProject(
  { options = {}, env = {}, file }: ProjectSources = {},
): ResolvedProject {
  const layers: readonly (readonly [SettingSource, Given])[] = [
    ["option", byName(check(fromOptions(options), "the options"))],
    ["environment", fromEnvironment(env)],
    ["file", file === undefined ? {} : fromFile(file)],
  ];
  const config: Record<string, unknown> = {};
  const from: Record<string, SettingSource> = {};
  for (const name of NAMES) {
    const [source, given] = layers.find(([, layer]) => layer[name] !== undefined) ?? [];
    config[name] = given === undefined ? SETTINGS[name].byDefault : given[name];
    from[name] = source ?? "default";
  }
  return { config, from } as unknown as ResolvedProject; // each value was checked by its setting's schema
}

/** The JSON Schema of a project file, for editors. */
export function projectSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(SCHEMA, { io: "input", unrepresentable: "any" });
  const properties = schema.properties as Record<string, Record<string, unknown>>;
  for (const { field, about, byDefault } of Object.values(SETTINGS)) {
    const value = byDefault === undefined ? {} : { default: byDefault };
    properties[field] = { description: about.replaceAll("`", ""), ...properties[field], ...value };
  }
  return { ...schema, title: "A project of Holdfast" };
}

function fromOptions(options: Partial<ProjectConfig>): Record<string, unknown> {
  const given = NAMES.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [SETTINGS[name].field, options[name]]));
}

/** The settings in the environment; a problem names its variable. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Given {
  const problems: string[] = [];
  const settings: Given = {};
  for (const name of NAMES) {
    const { variable, read, schema } = SETTINGS[name];
    const text = env[variable]?.trim();
    if (text === undefined || text === "") continue;
    const parsed = schema.safeParse(read(text));
    if (parsed.success) settings[name] = parsed.data;
    else {
      const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [variable] }));
      problems.push(describeProblems(new z.ZodError(issues), { [variable]: text }));
    }
  }
  if (problems.length > 0) throw refusal("the environment", problems.join("; "));
  return settings;
}

function fromFile(
  { name, content, pathOf = (path) => path }: ProjectSources["file"] & object,
): Given {
  const given = byName(checkFile(content, name));
  for (const each of NAMES) {
    const value = given[each];
    if (SETTINGS[each].isPath && typeof value === "string") given[each] = pathOf(value);
  }
  return given;
}

/** A field of the Python system's is reported with its name here. */
function checkFile(content: unknown, name: string): Record<string, unknown> {
  try {
    return check(content, name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const fields = Object.keys(Object(content)).filter((field) =>
      Object.hasOwn(PYTHON_FIELDS, field)
    );
    if (fields.length === 0) throw error;
    const hints = fields.map((field) => `${field} is ${PYTHON_FIELDS[field]}`);
    throw new TypeError(`${error.message}; ${hints.join("; ")}`);
  }
}

function check(value: unknown, source: string): Record<string, unknown> {
  const parsed = SCHEMA.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(source, describeProblems(parsed.error, value));
}

function byName(fields: Readonly<Record<string, unknown>>): Given {
  return Object.fromEntries(NAMES.map((name) => [name, fields[SETTINGS[name].field]]));
}

function refusal(source: string, problems: string): TypeError {
  return new TypeError(`Cannot configure Holdfast from ${source}: ${problems}`);
}
