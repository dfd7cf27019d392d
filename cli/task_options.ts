/**
 * The options that describe a new task, shared by `enqueue` and `run`.
 */
import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import {
  checkNewTask,
  messageOf,
  type NewTask,
  PARENT_FAILURE_POLICIES,
  type ParentFailurePolicy,
  quotePath,
  RETRY_LIMITS,
  type RetryPolicy,
  roundedNumber,
  TASK_LIMITS,
  type TaskReference,
  type Webhook,
  WEBHOOK_EVENTS,
} from "../src/mod.ts";
import { ID_HELP, type Session } from "./app.ts";
import { checkedInput, UsageError } from "./exit.ts";
import { durationFrom, instant, integerFrom, numberFrom, someOption } from "./options.ts";
import { shellHint } from "./shell_quoting.ts";

/** What the options gave. */
export type TaskOptions = {
  payload?: string;
  payloadFile?: string;
  priority?: number;
  runAfter?: Date | string;
  key?: string;
  maxAttempts?: number;
  runId?: string;
  dependsOn?: string[];
  onParentFailure?: ParentFailurePolicy;
  retryDelay?: number;
  retryMultiplier?: number;
  retryMaxDelay?: number;
  webhook?: string;
  webhookEvents?: WebhookEvent[];
};

/** What `--payload` takes. */
export const PAYLOAD_HELP = "the handler's input, - for standard input (default: {})";

/** What `--webhook` and `--webhook-events` take. */
export const WEBHOOK_HELP = "tell this URL when the task has ended";
/** Help of the option for a webhook's events. */
export const WEBHOOK_EVENTS_HELP = "only of these ends (default: all)";

type WebhookEvent = typeof WEBHOOK_EVENTS[number];

/** Adds the options to a command that has none yet. */
export function addTaskOptions<Args extends unknown[], Globals extends OptionValues>(
  command: Command<Args, Record<never, never>, Globals>,
): Command<Args, TaskOptions, Globals> {
  const { priorityMin, priorityMax, maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
  return command
    .addOption(
      new Option("--payload <json>", PAYLOAD_HELP).conflicts("payloadFile"),
    )
    .option("--payload-file <file>", "a file that holds the payload, - for standard input")
    .option(
      "--priority <n>",
      `${priorityMin} to ${priorityMax}, lower runs first (default: ${TASK_LIMITS.priorityDefault})`,
      integerFrom(priorityMin, priorityMax),
    )
    .option(
      "--run-after <when>",
      "not before: ISO 8601 with a zone, or +10s, +5m, +2h, +1d",
      instant,
    )
    .option("--key <key>", "idempotency key: the same key and content give the same task")
    .option(
      "--max-attempts <n>",
      `executions allowed (default: ${TASK_LIMITS.maxAttemptsDefault})`,
      integerFrom(maxAttemptsMin, maxAttemptsMax),
    )
    .option(
      "--retry-delay <duration>",
      "pause after the first failure, 1s or 5m (default: the handler's)",
      durationFrom(0, RETRY_LIMITS.delayMaxMs),
    )
    .option(
      "--retry-multiplier <n>",
      "how much longer each further pause is (default: 2)",
      numberFrom(1, RETRY_LIMITS.multiplierMax),
    )
    .option(
      "--retry-max-delay <duration>",
      "the longest pause (default: 5m)",
      durationFrom(0, RETRY_LIMITS.delayMaxMs),
    )
    .option("--run-id <id>", "the run's name (default: a random one)")
    .option("--depends-on <id...>", `not before these are final: each is ${ID_HELP}`)
    .addOption(
      new Option("--on-parent-failure <policy>", "when one of these fails (default: fail)")
        .choices(PARENT_FAILURE_POLICIES),
    )
    .option("--webhook <url>", WEBHOOK_HELP)
    .addOption(
      someOption("--webhook-events <event...>", WEBHOOK_EVENTS_HELP, WEBHOOK_EVENTS),
    );
}

/** The task that the options describe. @throws UsageError when the payload cannot be read, or a field is refused. */
export async function newTaskOf(
  session: Session,
  type: string,
  options: TaskOptions,
): Promise<NewTask> {
  const task = {
    type,
    payload: await readPayload(session, options),
    priority: options.priority,
    runAfter: options.runAfter,
    idempotencyKey: options.key,
    maxAttempts: options.maxAttempts,
    runId: options.runId,
    dependsOn: options.dependsOn?.map(referenceOf),
    onParentFailure: options.onParentFailure,
    retryPolicy: retryPolicyOf(options),
    webhook: webhookOf(options),
  };
  await checkedInput(() => checkNewTask(task));
  return task;
}

/** A policy when any part of it was given. */
function retryPolicyOf(options: TaskOptions): Partial<RetryPolicy> | undefined {
  const { retryDelay, retryMultiplier, retryMaxDelay } = options;
  const parts = [retryDelay, retryMultiplier, retryMaxDelay];
  if (parts.every((part) => part === undefined)) return undefined;
  return { initialDelayMs: retryDelay, multiplier: retryMultiplier, maxDelayMs: retryMaxDelay };
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

async function readPayload(session: Session, options: TaskOptions): Promise<unknown> {
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
