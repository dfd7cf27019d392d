/**
 * A worker's settings as `worker`, `serve` and `run` find them: options first, then HOLDFAST_… variables, then the file.
 */
import {
  HandlerRegistry,
  LOG_LIMITS,
  MEMORY_LIMITS,
  readWebhookOptions,
  readWorkerConfig,
  registerWebhooks,
  WEBHOOK_SECRET_VARIABLE,
  WORKER_CONFIG_VARIABLES,
  type WorkerConfig,
  type WorkerOptions,
} from "../src/mod.ts";
import type { Session } from "./app.ts";
import { checkedInput } from "./exit.ts";
import type { AnyCommand } from "./manual.ts";
import { integerFrom, sizeFrom } from "./options.ts";

/** Settings of webhooks that options gave. */
export interface WebhookCommandOptions {
  readonly webhookAllowedHosts?: string[];
  readonly webhookSecretFile?: string;
  readonly webhookTimeoutMs?: number;
}

/** What `--config` takes. */
export const CONFIG_HELP =
  "settings in .json, .yaml or .toml; HOLDFAST_… variables take precedence over it, options over both";

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
): Partial<WorkerConfig> {
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
export function roomSettings({ memoryMax, logMax }: RoomOptions): Partial<WorkerConfig> {
  return { memoryMaxBytes: memoryMax, logMaxBytes: logMax };
}

/** The settings. @throws UsageError with the wrong one, its value and what is allowed. */
export function readWorkerSettings(
  session: Session,
  file: string | undefined,
  options: Partial<WorkerConfig> = {},
): Promise<WorkerConfig> {
  const env = Object.fromEntries(
    WORKER_CONFIG_VARIABLES.map((name) => [name, session.io.environment(name)]),
  );
  return checkedInput(() => readWorkerConfig({ options, file, env }));
}

/** What of the settings is the worker's own. */
export function ownSettings(
  { workerId, concurrency, capabilities, strategy, leaseDurationMs, pollIntervalMs }: WorkerConfig,
): Omit<WorkerOptions, "queue" | "handlers"> {
  return { workerId, concurrency, capabilities, strategy, leaseDurationMs, pollIntervalMs };
}

/** The handlers and, if the settings allow hosts, the delivery of webhooks. @throws UsageError */
export async function withWebhooks(
  session: Session,
  config: WorkerConfig,
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
