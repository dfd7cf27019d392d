/**
 * `holdfast worker`: executes tasks of files, or of a queue behind a server, until it is interrupted, or until there are none
 * left.
 */
import { Option } from "@commander-js/extra-typings";
import {
  CLAIM_ORDERS,
  type ClaimOrder,
  sleep,
  systemClock,
  TASK_LIMITS,
  type TaskQueue,
  type Worker,
} from "../../src/mod.ts";
import { type App, type Program, type Session, writeJson, writeNote } from "../app.ts";
import {
  HANDLERS_HELP,
  loadHandlerFiles,
  MODULES_HELP,
  withWorker,
  withWorkplace,
} from "../embedded_worker.ts";
import { EXIT, UsageError } from "../exit.ts";
import { aborted, GRACE_MS, listenForInterrupts, STOPPING_NOTE } from "../interrupt.ts";
import { LOG_LEVELS, type LogLevelName, withLogOutput } from "../log_output.ts";
import { integerFrom, jsonObject } from "../options.ts";
import { whileSound } from "../end_in_doubt.ts";
import { WorkerReport } from "../worker_report.ts";
import {
  addRetentionOption,
  addRoomOptions,
  addWebhookOptions,
  announceRetention,
  applyRetention,
  configured,
  ownSettings,
  retentionOf,
  retentionSettings,
  type RoomOptions,
  roomSettings,
  type WebhookCommandOptions,
  webhookSettings,
  withWebhooks,
} from "../worker_settings.ts";

/** How often `--until-empty` looks whether anything is left, in milliseconds. */
const EMPTY_CHECK_INTERVAL_MS = 200;

interface WorkerCommandOptions extends WebhookCommandOptions, RoomOptions {
  readonly handlers?: string;
  readonly modules?: string;
  readonly concurrency?: number;
  readonly strategy?: ClaimOrder;
  readonly workerId?: string;
  readonly untilEmpty?: true;
  readonly leaseMs?: number;
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly retention?: string;
  readonly logLevel?: LogLevelName;
}

/** Adds the command. */
export function addWorkerCommand(program: Program, app: App): void {
  const { leaseDurationMinMs, leaseDurationMaxMs } = TASK_LIMITS;
  const command = program.command("worker")
    .description(
      `execute tasks, of files or with --url of a server's queue, until interrupted; handlers then have ${
        GRACE_MS / 1000
      } s to finish`,
    )
    .option("--handlers <file>", HANDLERS_HELP)
    .option("--modules <file>", MODULES_HELP)
    .option("--concurrency <n>", "how many tasks at a time (default: 4)", integerFrom(1, 1000))
    .addOption(
      new Option("--strategy <order>", "which due task comes first (default: priority)")
        .choices(CLAIM_ORDERS),
    )
    .option("--worker-id <id>", "the worker's name (default: a random one)")
    .option("--until-empty", "end when no task of its types is queued or leased")
    .option(
      "--lease-ms <n>",
      `how long a lease lasts without renewal (default: ${TASK_LIMITS.leaseDurationDefaultMs})`,
      integerFrom(leaseDurationMinMs, leaseDurationMaxMs),
    )
    .option(
      "--capabilities <json>",
      "what this worker can do; a task's compatibility pairs must all be here (default: {})",
      jsonObject,
    )
    .addOption(
      new Option("--log-level <level>", "write the library's own log to standard error")
        .choices(LOG_LEVELS),
    );
  addWebhookOptions(command);
  addRoomOptions(command);
  addRetentionOption(command);
  command.action((options, command) =>
    app.run(
      command.optsWithGlobals(),
      (session) => withLogOutput(session, options.logLevel, () => work(session, options)),
    )
  );
}

async function work(session: Session, options: WorkerCommandOptions): Promise<number> {
  checkRoomIsHere(session, options);
  const { handlers: file, modules, untilEmpty } = options;
  const { concurrency, strategy, workerId, leaseMs, capabilities } = options;
  const given = {
    ...{ handlers: file, modules },
    ...{ concurrency, strategy, workerId, leaseDurationMs: leaseMs, capabilities },
    ...webhookSettings(options),
    ...roomSettings(options),
    ...retentionSettings(options),
  };
  const resolved = await configured(session, given);
  const { config } = resolved;
  const handlers = await withWebhooks(session, config, await loadHandlerFiles(config));
  if (handlers === undefined) {
    throw new UsageError(
      `Cannot work without handlers: write handlers.ts here, or name a file by --handlers FILE, or by handlers = "FILE" in holdfast.toml (modules, or allowed hosts of webhooks, will do too)`,
    );
  }
  const { signal, dispose, graceMs } = listenForInterrupts(session.io, STOPPING_NOTE);
  const report = new WorkerReport(session);
  const { memoryMaxBytes, logMaxBytes, logsMaxBytes } = config;
  const room = { memoryMaxBytes, logMaxBytes, logsMaxBytes, ...retentionOf(resolved) };
  const settings = { ...ownSettings(config), handlers, onEvent: report.onEvent };
  try {
    return await withWorkplace(session, async ({ unreadableMaxMs, ...place }) => {
      const { queue } = place;
      const workToTheEnd = async (worker: Worker, broken: AbortSignal): Promise<string> => {
        const types = handlers.types();
        if (session.server === null) announceRetention(session, resolved);
        writeNote(session, `worker ${worker.workerId} executes ${types.join(", ")}`);
        await whileSound(
          { queue, signal, broken, unreadableMaxMs },
          (over) => untilEmpty ? empty(queue, types, over) : aborted(over),
        );
        return worker.workerId;
      };
      const id = await withWorker({ ...settings, ...place, graceMs }, workToTheEnd);
      if (untilEmpty && session.server === null) await applyRetention(queue, resolved);
      if (session.json) writeJson(session, report.summary(id));
      else writeNote(session, report.summaryText(id));
      return EXIT.done;
    }, room);
  } finally {
    dispose();
  }
}

/** What the tasks and logs of another machine may take, and how long they stay, that machine says. @throws UsageError */
function checkRoomIsHere(
  { server }: Session,
  { memoryMax, logMax, retention }: WorkerCommandOptions,
): void {
  if (server === null || (memoryMax ?? logMax ?? retention) === undefined) return;
  throw new UsageError(
    "--memory-max, --log-max and --retention are about a queue's files: give them where the server runs",
  );
}

/** Resolves when no task of these types is queued or leased, or when `signal` aborts. */
async function empty(
  queue: TaskQueue,
  types: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && await isAnyOpen(queue, types)) {
    await sleep(systemClock, EMPTY_CHECK_INTERVAL_MS, signal);
  }
}

async function isAnyOpen(queue: TaskQueue, types: readonly string[]): Promise<boolean> {
  for (const type of types) {
    for (const status of ["queued", "leased"] as const) {
      if ((await queue.list({ type, status, limit: 1 })).length > 0) return true;
    }
  }
  return false;
}
