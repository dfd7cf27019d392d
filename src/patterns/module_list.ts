/**
 * Module lists: the command modules of a file of settings, checked to the last field.
 *
 * The same schema reads the file and documents it for editors (`docs/modules.schema.json`), so the two cannot differ.
 */
import { z } from "zod";
import {
  type ModuleParameter,
  PARAMETER_DEFAULTS,
  PARAMETER_TYPES,
  type ParameterCondition,
} from "../domain/module_parameter.ts";
import { messageOf } from "../domain/errors.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import { describeProblems, onlyFields } from "../worker/schema_problems.ts";
import { type ArgumentGroup, placeholdersOf } from "./module_arguments.ts";
import { problemOf, problemsOf } from "./module_contradictions.ts";
import { TEXT_MAX_LENGTH } from "./module_parameters.ts";

/** A command module: a program that runs as a task. */
export interface CommandModule {
  /** The task type. */
  readonly id: string;
  /** Its name for people. */
  readonly name: string;
  /** One line for people, or `""`. */
  readonly description: string;
  /** Which version it is, or `null`. */
  readonly version: string | null;
  /** Programs of which the first that is found is run; `null` when the script's ending decides. */
  readonly command: readonly string[] | null;
  /** A file given to the program first, relative to the list; `null` for none. */
  readonly script: string | null;
  /** What follows. */
  readonly arguments: readonly ArgumentGroup[];
  /** Relative to the list. */
  readonly workingDirectory: string;
  /** Variables that are handed on. */
  readonly environment: readonly string[];
  /** Variables that are set. */
  readonly environmentSet: Readonly<Record<string, string>>;
  /** Whether it reads its parameters, as JSON, from its standard input. */
  readonly readsParameters: boolean;
  /** Exit codes that complete the task. */
  readonly successExitCodes: readonly number[];
  /** How long an attempt may take, in milliseconds; `null` for no limit. */
  readonly timeoutMs: number | null;
  /** How failures are retried; what is not there is the queue's. */
  readonly retry: ModuleRetry;
  /** How many run at the same time in one worker; `null` for the worker's concurrency. */
  readonly concurrency: number | null;
  /** What it is given. */
  readonly parameters: readonly ModuleParameter[];
}

/** How the failures of a module are retried. */
export interface ModuleRetry {
  readonly maxAttempts?: number;
  readonly initialDelayMs?: number;
  readonly multiplier?: number;
  readonly maxDelayMs?: number;
}

const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const NO_NUL = "the character U+0000 is not allowed";

function integer(min: number, max: number): z.ZodNumber {
  const error = `an integer from ${min} to ${max} is needed`;
  return z.number(error).int(error).min(min, error).max(max, error);
}

function list<Item extends z.ZodType>(item: Item): z.ZodArray<Item> {
  return z.array(item, "a list is needed");
}

function text(what: string): z.ZodString {
  return z.string(`${what} is needed`).regex(/\S/, `${what} is needed`);
}

function path(what: string): z.ZodString {
  return text(what).refine((path) => !path.includes("\0"), NO_NUL);
}

const PATH = path("a path");

const PROGRAM = path("a program");

const NAME = z.string("a name is needed").regex(
  NAME_PATTERN,
  "a name of 1 to 64 letters, digits, _ and - is needed, the first of them a letter",
);

const VALUE = z.union([z.string(), z.number(), z.boolean()], {
  error: "a string, a number, true or false is needed",
});

const CONDITION = onlyFields({
  parameter: NAME.describe("The name of a parameter that stands before this one"),
  equals: VALUE.optional().describe("It must have this value"),
  one_of: z.array(VALUE).min(1, "at least one value is needed").optional().describe(
    "It must have one of these values",
  ),
}).refine(({ equals, one_of }) => (equals === undefined) !== (one_of === undefined), {
  error: "either equals or one_of is needed",
}).transform(({ parameter, equals, one_of }): ParameterCondition => ({
  parameter,
  oneOf: one_of ?? [equals!],
}));

const COMMON = {
  name: NAME.describe("How it is called in the run's parameters"),
  label: z.string().optional().describe("Its name for people; default its name"),
  description: z.string().optional().describe("One line for people"),
  required: z.boolean().optional().describe(
    "Whether it must be given, when it is visible and has no default; default false",
  ),
  visible_when: CONDITION.optional().describe(
    "It is asked for only when another parameter has a certain value; then only may it be given",
  ),
};

const LENGTH = integer(0, 1_000_000);

const PARAMETER = z.discriminatedUnion("type", [
  onlyFields({
    ...COMMON,
    type: z.literal("number"),
    default: z.number("a number is needed").optional(),
    min: z.number().optional().describe("The least value"),
    max: z.number().optional().describe("The greatest value"),
    integer: z.boolean().optional().describe("Whether it must be an integer; default false"),
  }),
  onlyFields({
    ...COMMON,
    type: z.literal("text"),
    default: z.string("a string is needed").optional(),
    pattern: z.string().optional().describe(
      "A regular expression (JavaScript's, flag u, without look-around and back-references) that the whole text must match",
    ),
    min_length: LENGTH.optional(),
    max_length: LENGTH.optional().describe(`Default ${TEXT_MAX_LENGTH}`),
  }),
  onlyFields({
    ...COMMON,
    type: z.literal("select"),
    default: z.union([z.string(), z.number()], { error: "a string or a number is needed" })
      .optional(),
    options: list(
      z.union([z.string(), z.number()], { error: "a string or a number is needed" }),
    ).min(1, "at least one option is needed").refine(
      (options) => new Set(options).size === options.length,
      "each option may stand there once",
    ),
  }),
  onlyFields({
    ...COMMON,
    type: z.literal("checkbox"),
    default: z.boolean("true or false is needed").optional(),
  }),
], { error: `an object is needed, its type one of ${PARAMETER_TYPES.join(", ")}` })
  .transform((given): ModuleParameter => {
    const { visible_when: visibleWhen = null, name, label = name, ...rest } = given;
    const lengths = "min_length" in rest || "max_length" in rest
      ? { minLength: rest.min_length ?? null, maxLength: rest.max_length ?? null }
      : {};
    const { min_length: _1, max_length: _2, ...others } = rest as Record<string, unknown>;
    return {
      ...PARAMETER_DEFAULTS,
      ...others as Pick<ModuleParameter, "type">,
      ...lengths,
      name,
      label,
      visibleWhen,
    };
  })
  .superRefine((parameter, context) => {
    const problem = problemOf(parameter);
    if (problem !== undefined) context.addIssue({ code: "custom", ...problem });
  });

const ARGUMENT = z.string("a string is needed").superRefine((argument, context) => {
  try {
    placeholdersOf(argument);
    if (argument.includes("\0")) throw new TypeError(NO_NUL);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
  }
});

const ARGUMENTS = z.union([
  ARGUMENT.transform((one): ArgumentGroup => ({ when: null, arguments: [one] })),
  z.array(ARGUMENT).transform((several): ArgumentGroup => ({ when: null, arguments: several })),
  onlyFields({ when: CONDITION, arguments: list(ARGUMENT) }),
], {
  error: "a string, a list of strings, or an object with when and arguments is needed; " +
    "{name} stands for a parameter, {{ and }} for braces",
});

const VARIABLE = z.string("a string is needed").regex(
  // deno-lint-ignore no-control-regex
  /^[^=\u0000]+$/,
  "the name of an environment variable is needed",
);

const VARIABLE_VALUE = z.string("a string is needed").refine(
  (value) => !value.includes("\0"),
  NO_NUL,
);

/** As far as an exit code goes on Windows; elsewhere it ends at 255. */
const EXIT_CODE_MAX = 4_294_967_295;

const DELAY = integer(0, 7 * 24 * 3_600_000);

const MODULE = onlyFields({
  id: text("a string").max(TASK_LIMITS.typeMaxLength).describe("The task type; unique"),
  name: text("a string").optional().describe("Its name for people; default its id"),
  description: z.string().optional().describe("One line for people"),
  version: text("a string").max(100).optional(),
  command: z.union([
    PROGRAM.transform((one) => [one]),
    z.array(PROGRAM).min(1, "at least one program is needed"),
  ], { error: "a program or a list of programs is needed" }).optional().describe(
    "The program: a name on the PATH, or a path relative to this file; of several, the first that is found. " +
      "Default: by the script's ending",
  ),
  script: PATH.optional().describe(
    "A file that must be there, given to the program before the arguments; relative to this file",
  ),
  arguments: list(ARGUMENTS).optional().describe(
    "What the program is given, each as one argument. {name} stands for a parameter's value; an argument, or a list of " +
      "arguments, in which a parameter has no value is left out. {{ and }} stand for braces",
  ),
  working_directory: PATH.optional().describe(
    "Relative to this file; default this file's folder",
  ),
  environment: list(VARIABLE).optional().describe(
    "Names of environment variables that are handed on, besides those that no program can do without, such as PATH",
  ),
  environment_set: z.record(VARIABLE, VARIABLE_VALUE).optional().describe(
    "Environment variables that are set",
  ),
  stdin: z.enum(["none", "parameters"]).optional().describe(
    "Whether the program reads its parameters as one line of JSON; default none",
  ),
  success_exit_codes: list(integer(0, EXIT_CODE_MAX)).min(1, "at least one exit code is needed")
    .optional().describe("Exit codes that complete the task; any other fails it; default [0]"),
  timeout_ms: integer(1, TASK_LIMITS.timeoutMaxMs).optional().describe(
    "How long an attempt may take; default no limit",
  ),
  retry: onlyFields({
    max_attempts: integer(TASK_LIMITS.maxAttemptsMin, TASK_LIMITS.maxAttemptsMax)
      .optional().describe("After how many attempts a failure is final, when the task allows more"),
    initial_delay_ms: DELAY.optional(),
    multiplier: z.number("a number is needed").min(1, "at least 1 is needed").max(
      100,
      "at most 100 is allowed",
    ).optional(),
    max_delay_ms: DELAY.optional(),
  }).optional().describe("How failures are retried; default as the queue does"),
  concurrency: integer(1, 1000).optional().describe(
    "How many run at the same time in one worker; default the worker's concurrency",
  ),
  parameters: list(PARAMETER).optional().describe("What a run is given"),
}).superRefine((module, context) => {
  // What is not even of the right shape has been told of already.
  if (context.issues.length > 0) return;
  for (const problem of problemsOf(module)) context.addIssue({ code: "custom", ...problem });
}).meta({ id: "CommandModule" });

type ModuleEntry = z.output<typeof MODULE>;

/**
 * The modules of a list: an array, or an object whose field `modules` is one (beside which only `$schema` may stand).
 *
 * @throws TypeError that names every wrong entry: its index from 0, its id, the field, the wrong value, and what is
 * allowed.
 */
export function parseModuleList(content: unknown): readonly CommandModule[] {
  const modules: CommandModule[] = [];
  const refusals: string[] = [];
  const ids = new Map<string, number>();
  listIn(content).forEach((value, index) => {
    const name = moduleEntryName(index, value);
    const parsed = MODULE.safeParse(value);
    if (!parsed.success) {
      refusals.push(`${name}: ${describeProblems(parsed.error, value)}`);
      return;
    }
    const module = moduleOf(parsed.data);
    const first = ids.get(module.id);
    if (first === undefined) ids.set(module.id, index);
    else refusals.push(`${name}: id: entry ${first} has it already`);
    modules.push(module);
  });
  if (refusals.length > 0) throw new TypeError(refusals.join("; "));
  return modules;
}

/** How an entry is called in messages. */
export function moduleEntryName(index: number, value: unknown): string {
  const id = (value as { id?: unknown } | null)?.id;
  return typeof id === "string" ? `entry ${index} (${JSON.stringify(id)})` : `entry ${index}`;
}

/** The JSON Schema of a file of modules, for editors. */
export function moduleListSchema(): Record<string, unknown> {
  const list = z.array(MODULE).min(1);
  const file = z.union([list, z.strictObject({ $schema: z.string().optional(), modules: list })]);
  const schema = z.toJSONSchema(file, { io: "input", unrepresentable: "any" });
  return { ...schema, title: "Command modules of Holdfast" };
}

function listIn(content: unknown): readonly unknown[] {
  const isObject = typeof content === "object" && content !== null && !Array.isArray(content);
  const known = ["$schema", "modules"];
  const list = isObject && Object.keys(content).every((key) => known.includes(key))
    ? (content as { modules?: unknown }).modules
    : content;
  if (Array.isArray(list) && list.length > 0) return list;
  throw new TypeError(
    "it holds no list of modules: an array is needed, or an object with only modules (and $schema), with at least one entry",
  );
}

function moduleOf(entry: ModuleEntry): CommandModule {
  const { retry } = entry;
  return {
    id: entry.id.trim(),
    name: entry.name ?? entry.id.trim(),
    description: entry.description ?? "",
    version: entry.version ?? null,
    command: entry.command ?? null,
    script: entry.script ?? null,
    arguments: entry.arguments ?? [],
    workingDirectory: entry.working_directory ?? ".",
    environment: entry.environment ?? [],
    environmentSet: entry.environment_set ?? {},
    readsParameters: entry.stdin === "parameters",
    successExitCodes: entry.success_exit_codes ?? [0],
    timeoutMs: entry.timeout_ms ?? null,
    retry: {
      maxAttempts: retry?.max_attempts,
      initialDelayMs: retry?.initial_delay_ms,
      multiplier: retry?.multiplier,
      maxDelayMs: retry?.max_delay_ms,
    },
    concurrency: entry.concurrency ?? null,
    parameters: entry.parameters ?? [],
  };
}
