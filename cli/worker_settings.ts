/**
 * What `worker`, `serve` and `run` take of a project's settings, and the options that take precedence over it.
 */
import {
  HandlerRegistry,
  LOG_LIMITS,
  MEMORY_LIMITS,
  parseRetention,
  type ProjectConfig,
  type QueueSettings,
  readWebhookOptions,
  registerWebhooks,
  type ResolvedProject,
  SETTINGS,
  type TaskQueue,
  WEBHOOK_SECRET_VARIABLE,
  type WorkerOptions,
} from "../src/mod.ts";
import { type Session, writeNote } from "./app.ts";
import { checkedInput } from "./exit.ts";
import type { AnyCommand } from "./manual.ts";
import { integerFrom, sizeFrom } from "./options.ts";

/** Settings of webhooks that options gave. */
export interface WebhookCommandOptions {
  readonly webhookAllowedHosts?: string[];
  readonly webhookSecretFile?: string;
  readonly webhookTimeoutMs?: number;
}

/** Adds the options of webhooks to a command. */
export function addWebhookOptions(command: AnyCommand): void {
  command
    .option("--webhook-allowed-hosts <host...>", "deliver webhooks to these (default: none)")
    .option(
      "--webhook-secret-file <file>",
      `what webhooks are signed with (default: ${WEBHOOK_SECRET_VARIABLE})`,
    )
    .option(
      "--webhook-timeout-ms <n>",
      "how long one delivery may take (default: 10000)",
      integerFrom(100, 60_000),
    );
}

/** What of a command's options is about webhooks. */
export function webhookSettings(
  { webhookAllowedHosts, webhookSecretFile, webhookTimeoutMs }: WebhookCommandOptions,
): Partial<ProjectConfig> {
  return { webhookAllowedHosts, webhookSecretFile, webhookTimeoutMs };
}

/** What a queue and its logs may take, as options gave it. */
export interface RoomOptions {
  readonly memoryMax?: number;
  readonly logMax?: number;
}

/** Adds the options of what a queue and its logs may take to a command. */
export function addRoomOptions(command: AnyCommand): void {
  const { memoryMaxBytesMin, memoryMaxBytesMax } = MEMORY_LIMITS;
  const { taskMaxBytesMin, taskMaxBytesMax } = LOG_LIMITS;
  command
    .option(
      "--memory-max <size>",
      "what the tasks may take of memory, 1M to 1.25G (default: 1.25G); the same for every process",
      sizeFrom(memoryMaxBytesMin, memoryMaxBytesMax),
    )
    .option(
      "--log-max <size>",
      "what the log of one task may take, 64K to 1G (default: 16M)",
      sizeFrom(taskMaxBytesMin, taskMaxBytesMax),
    );
}

/** What of a command's options is about the room of a queue and its logs. */
export function roomSettings({ memoryMax, logMax }: RoomOptions): Partial<ProjectConfig> {
  return { memoryMaxBytes: memoryMax, logMaxBytes: logMax };
}

/** The settings in force with the command's own options. @throws UsageError with the wrong one, its value and what is allowed. */
export function configured(
  { project }: Session,
  options: Partial<ProjectConfig> = {},
): Promise<ResolvedProject> {
  return checkedInput(() => project.resolve(options));
}

/** Adds the option of what is deleted to a command. */
export function addRetentionOption(command: AnyCommand): void {
  command.option(
    "--retention <rules>",
    `which finished tasks to delete: 30d, failed:90d, keep:1000, between commas, or none (default: ${
      SETTINGS.retention.byDefault.join(",")
    })`,
  );
}

/** What of a command's options is about retention. */
export function retentionSettings(
  { retention }: { readonly retention?: string },
): Partial<ProjectConfig> {
  if (retention === undefined) return {};
  return { retention: SETTINGS.retention.read(retention) as string[] }; // its schema checks it, as of a variable
}

/** The rules that a queue applies by itself while it is open. */
export function retentionOf(
  { config: { retention } }: ResolvedProject,
): Pick<QueueSettings, "retention"> {
  return { retention: parseRetention(retention) };
}

/** Applies it now: a worker that ends when nothing is left may live shorter than it takes the queue to do so by itself. */
export async function applyRetention(
  queue: TaskQueue,
  { config: { retention } }: ResolvedProject,
): Promise<void> {
  for (const rule of parseRetention(retention)) await queue.prune(rule);
}

/** Says which tasks will be deleted, and who wants it so. */
export function announceRetention(
  session: Session,
  { config: { retention }, from }: ResolvedProject,
): void {
  const origin = {
    option: "--retention",
    environment: SETTINGS.retention.variable,
    file: session.project.file ?? "the project file",
    default: "default; --retention changes it",
  }[from.retention];
  const rules = retention.length === 0 ? "none" : retention.join(", ");
  const effect = retention.length === 0
    ? "finished tasks are kept for ever"
    : "finished tasks beyond it are deleted";
  writeNote(session, `retention ${rules} (${origin}): ${effect}`);
}

/** What of the settings is the worker's own. */
export function ownSettings(
  { workerId, concurrency, capabilities, strategy, leaseDurationMs, pollIntervalMs }: ProjectConfig,
): Omit<WorkerOptions, "queue" | "handlers"> {
  return { workerId, concurrency, capabilities, strategy, leaseDurationMs, pollIntervalMs };
}

/** The handlers and, if the settings allow hosts, the delivery of webhooks. @throws UsageError */
export async function withWebhooks(
  session: Session,
  config: ProjectConfig,
  handlers: HandlerRegistry | undefined,
): Promise<HandlerRegistry | undefined> {
  const name = WEBHOOK_SECRET_VARIABLE;
  const env = { [name]: session.io.environment(name) };
  const webhooks = await checkedInput(() => readWebhookOptions(config, { env }));
  if (webhooks === undefined) return handlers;
  const registry = handlers ?? new HandlerRegistry();
  await checkedInput(() => registerWebhooks(registry, webhooks));
  return registry;
}
