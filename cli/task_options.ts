/**
 * The options that describe a new task, shared by `enqueue` and `run`.
 */
import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import {
  checkNewTask,
  defaultText,
  messageOf,
  type NewTask,
  quotePath,
  RETRY_POLICY_FIELDS,
  type RetryPolicy,
  roundedNumber,
  snakeName,
  TASK_FIELD_NAMES,
  TASK_FIELDS,
  TASK_LIMITS,
  type TaskField,
  type TaskReference,
  type Unique,
  UNIQUE_LIMITS,
  UNIQUE_MODES,
  type UniqueMode,
  type Webhook,
  WEBHOOK_EVENTS,
} from "../src/mod.ts";
import { ID_HELP, type Session } from "./app.ts";
import { checkedInput, UsageError } from "./exit.ts";
import {
  durationFrom,
  instant,
  integerFrom,
  jsonObject,
  numberFrom,
  someOption,
} from "./options.ts";
import { shellHint } from "./shell_quoting.ts";

/** Fields with an option of their own, which gives their value as it is. */
type PlainName = Exclude<keyof NewTask, "type" | "payload" | "retryPolicy" | "unique" | "webhook">;

/** What an option is called in a program: after its field, but for the key, each tag by itself, and durations without their unit. */
type OptionName<Name extends string> = Name extends "idempotencyKey" ? "key"
  : Name extends "tags" ? "tag"
  : Name extends `${infer Duration}Ms` ? Duration
  : Name;

/** What the options gave. */
export type TaskOptions =
  & {
    [Name in PlainName as OptionName<Name>]?: Name extends "dependsOn" ? string[] : NewTask[Name];
  }
  & {
    payload?: string;
    payloadFile?: string;
    retryDelay?: number;
    retryMultiplier?: number;
    retryMaxDelay?: number;
    uniqueKey?: string;
    uniqueMode?: UniqueMode;
    uniqueWindow?: number;
    uniqueMaxWait?: number;
    webhook?: string;
    webhookEvents?: WebhookEvent[];
  };

type WebhookEvent = typeof WEBHOOK_EVENTS[number];

/** Help where the command line takes more than the field does. */
const HELP: Readonly<Partial<Record<PlainName, string>>> = {
  runAfter: "not before: ISO 8601 with a zone, or +10s, +5m, +2h, +1d",
  expiresAt: "cancelled by itself if it has not started by then: as --run-after",
  idempotencyKey: "idempotency key: the same key and content give the same task",
  tags: `a tag that it can be found by; up to ${TASK_LIMITS.tagsMax}, each by an option of its own`,
  dependsOn: `not before these are final: each is ${ID_HELP}`,
};

/** Adds the options of these fields to a command that has none yet; by default of every field. */
export function addTaskOptions<Args extends unknown[], Globals extends OptionValues>(
  command: Command<Args, Record<never, never>, Globals>,
  names: readonly (keyof NewTask)[] = TASK_FIELD_NAMES,
): Command<Args, TaskOptions, Globals> {
  for (const option of names.flatMap(optionsOf)) command.addOption(option);
  return command as Command<Args, TaskOptions, Globals>;
}

function optionsOf(name: keyof NewTask): Option[] {
  switch (name) {
    case "type":
      return [];
    case "payload":
      return payloadOptions();
    case "retryPolicy":
      return retryOptions();
    case "unique":
      return uniqueOptions();
    case "webhook":
      return [
        new Option("--webhook <url>", "tell this URL when the task has ended"),
        someOption(
          "--webhook-events <event...>",
          "only of these ends (default: all)",
          WEBHOOK_EVENTS,
        ),
      ];
    default:
      return [plainOption(name)];
  }
}

/** How a payload is given. */
export function payloadOptions(): Option[] {
  return [
    new Option("--payload <json>", "the handler's input, - for standard input (default: {})")
      .conflicts("payloadFile"),
    new Option("--payload-file <file>", "a file that holds the payload, - for standard input"),
  ];
}

function uniqueOptions(): Option[] {
  const { windowMaxMs } = UNIQUE_LIMITS;
  return [
    new Option("--unique-key <key>", "unique among the tasks of its type, as --unique-mode says"),
    new Option(
      "--unique-mode <mode>",
      "what becomes of it when there is one under its key: it joins that one, debounce replaces its payload",
    ).choices(UNIQUE_MODES),
    readBy(
      new Option("--unique-window <duration>", "how long throttle and debounce hold the key"),
      durationFrom(1, windowMaxMs),
    ),
    readBy(
      new Option(
        "--unique-max-wait <duration>",
        "how long a debounced task waits at most (default: ten windows)",
      ),
      durationFrom(1, windowMaxMs),
    ),
  ];
}

function retryOptions(): Option[] {
  const { initialDelayMs, multiplier, maxDelayMs } = RETRY_POLICY_FIELDS;
  return [
    readBy(
      new Option(
        "--retry-delay <duration>",
        "pause after the first failure, 1s or 5m (default: the handler's)",
      ),
      readerOf("initialDelayMs", initialDelayMs),
    ),
    readBy(
      new Option(
        "--retry-multiplier <n>",
        `how much longer each further pause is (default: ${multiplier.default})`,
      ),
      readerOf("multiplier", multiplier),
    ),
    readBy(
      new Option("--retry-max-delay <duration>", "the longest pause (default: 5m)"),
      readerOf("maxDelayMs", maxDelayMs),
    ),
  ];
}

/** The option of a field of a task that is there: what is not given stays, so it has no default. */
export function changedField(name: PlainName): Option {
  return plainOption(name, { isNew: false });
}

/** When a task that is there is to be due. */
export function dueOptions(): Option[] {
  return [changedField("runAfter"), new Option("--now", "due at once").conflicts("runAfter")];
}

/** Options that are not called after their field. */
const FLAGS: Readonly<Partial<Record<PlainName, string>>> = {
  idempotencyKey: "key",
  tags: "tag",
};

/** The option of a field: `--max-attempts <n>` for `maxAttempts`, `--timeout <duration>` for `timeoutMs`. */
function plainOption(name: PlainName, { isNew = true } = {}): Option {
  const field = TASK_FIELDS[name];
  const flag = FLAGS[name] ?? snakeName(name).replace(/_ms$/, "").replaceAll("_", "-");
  const help = HELP[name] ?? withRange(field);
  const standard = defaultText(field);
  const isTold = isNew && standard !== undefined && standard !== "none" && HELP[name] === undefined;
  const option = new Option(
    `--${flag} <${placeholderOf(name, field)}>`,
    isTold ? `${help} (default: ${standard})` : help,
  );
  return field.kind === "choice"
    ? option.choices(field.choices)
    : readBy(option, readerOf(name, field));
}

/** A range that the help should show; a duration's is shown by the error alone. */
function withRange(field: TaskField): string {
  const isCount = field.kind === "integer" && field.max <= 1000;
  return isCount ? `${field.help}, ${field.min} to ${field.max}` : field.help;
}

function placeholderOf(name: string, field: TaskField): string {
  switch (field.kind) {
    case "integer":
    case "number":
      return name.endsWith("Ms") ? "duration" : "n";
    case "instant":
      return "when";
    case "pairs":
      return "json";
    case "choice":
      return "policy";
    case "references":
      return "id...";
    case "key":
      return "key";
    default:
      return name.endsWith("Id") ? "id" : "text";
  }
}

/** What reads the value of a field's option; nothing where the string is the value. */
function readerOf(name: string, field: TaskField): Reader | undefined {
  switch (field.kind) {
    case "integer":
    case "number": {
      if (name.endsWith("Ms")) return durationFrom(field.min, field.max);
      const from = field.kind === "integer" ? integerFrom : numberFrom;
      return from(field.min, field.max);
    }
    case "instant":
      return instant;
    case "pairs":
      return jsonObject;
    case "names":
      return (text, previous) => [...(Array.isArray(previous) ? previous : []), text];
    default:
      return undefined;
  }
}

/** Reads the value of an option; what it has read before is there where the option is given again. */
type Reader = (text: string, previous: unknown) => unknown;

function readBy(option: Option, reader: Reader | undefined): Option {
  return reader === undefined ? option : option.argParser(reader) as Option;
}

/** The task that the options describe. @throws UsageError when the payload cannot be read, or a field is refused. */
export async function newTaskOf(
  session: Session,
  type: string,
  options: TaskOptions,
): Promise<NewTask> {
  const task = {
    ...plainFieldsOf(options),
    type,
    payload: await readPayload(session, options),
    retryPolicy: retryPolicyOf(options),
    unique: uniqueOf(options),
    webhook: webhookOf(options),
  };
  await checkedInput(() => checkNewTask(task));
  return task;
}

/** The fields whose options were given. */
function plainFieldsOf(options: TaskOptions): Partial<NewTask> {
  const given = options as Readonly<Record<string, unknown>>;
  const fields: Record<string, unknown> = {};
  for (const name of TASK_FIELD_NAMES) {
    const [option, another] = optionsOf(name);
    if (option === undefined || another !== undefined) continue;
    const value = given[option.attributeName()];
    if (value !== undefined) fields[name] = value;
  }
  const { dependsOn } = options;
  return dependsOn === undefined ? fields : { ...fields, dependsOn: dependsOn.map(referenceOf) };
}

/** A policy when any part of it was given. */
function retryPolicyOf(options: TaskOptions): Partial<RetryPolicy> | undefined {
  const { retryDelay, retryMultiplier, retryMaxDelay } = options;
  const parts = [retryDelay, retryMultiplier, retryMaxDelay];
  if (parts.every((part) => part === undefined)) return undefined;
  return { initialDelayMs: retryDelay, multiplier: retryMultiplier, maxDelayMs: retryMaxDelay };
}

/** @throws UsageError when the key or the mode is missing. */
function uniqueOf(
  { uniqueKey: key, uniqueMode: mode, uniqueWindow: windowMs, uniqueMaxWait: maxWaitMs }:
    TaskOptions,
): Unique | undefined {
  if (key !== undefined && mode !== undefined) return { key, mode, windowMs, maxWaitMs };
  if ([key, mode, windowMs, maxWaitMs].every((part) => part === undefined)) return undefined;
  const modes = UNIQUE_MODES.join(", ");
  throw new UsageError(
    key === undefined ? "--unique-key is needed, too" : `--unique-mode is needed, too: ${modes}`,
  );
}

/** @throws UsageError when events are given without a URL. */
function webhookOf({ webhook, webhookEvents }: TaskOptions): Webhook | undefined {
  if (webhook !== undefined) return { url: webhook, events: webhookEvents };
  if (webhookEvents === undefined) return undefined;
  throw new UsageError("--webhook-events needs a --webhook to tell");
}

/** Digits are a task id, anything else is a run id, also what comes after `run:`. */
function referenceOf(text: string): TaskReference {
  if (text.startsWith("run:")) return text.slice("run:".length);
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** The payload that the options give; `undefined` for none. @throws UsageError when it cannot be read. */
export async function readPayload(
  session: Session,
  options: Pick<TaskOptions, "payload" | "payloadFile">,
): Promise<unknown> {
  const { payload, payloadFile = payload === "-" ? payload : undefined } = options;
  if (payloadFile !== undefined) {
    return parseJson(await readInput(session, payloadFile), inputName(payloadFile));
  }
  return payload === undefined ? undefined : parseJson(payload, "--payload", shellHint(payload));
}

/** The text of a file that the user named. @throws UsageError when it cannot be read. */
export async function readInput(session: Session, path: string): Promise<string> {
  try {
    return (await session.io.readText(path)).replace(/^\uFEFF/, "");
  } catch (thrown) {
    const name = path === "-" ? inputName(path) : quotePath(path);
    const advice = thrown instanceof TypeError ? encodingAdvice(path) : "";
    throw new UsageError(`Cannot read ${name}: ${messageOf(thrown)}${advice}`, { cause: thrown });
  }
}

/** How messages call what is read from `path`. */
function inputName(path: string): string {
  return path === "-" ? "standard input" : path;
}

/** What to do about bytes in the code page of a console. */
function encodingAdvice(path: string): string {
  return path === "-"
    ? "; first run chcp 65001 in cmd.exe, or $OutputEncoding = [Text.UTF8Encoding]::new() in PowerShell 5.1"
    : "; save the file as UTF-8";
}

/**
 * The JSON value of a string that the user gave in `where`.
 *
 * @throws UsageError when it is not JSON, with `hint`, or has a number that would be rounded.
 */
export function parseJson(text: string, where: string, hint = ""): unknown {
  const rounded = roundedNumber(text);
  if (rounded !== undefined) {
    throw new UsageError(
      `${where} has the number ${rounded.source}, which would be kept as ${rounded.value}: write it as a string`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new UsageError(`${where} is not JSON: ${messageOf(thrown)}${hint}`, { cause: thrown });
  }
}
