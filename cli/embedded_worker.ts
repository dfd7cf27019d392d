/**
 * A worker inside a command: its handlers, its log store, and its end.
 */
import {
  type Clock,
  HandlerRegistry,
  loadHandlers,
  loadModules,
  type LogStore,
  messageOf,
  openLogStore,
  type QueueSettings,
  type RemoteQueue,
  type TaskQueue,
  withoutRepeats,
  Worker,
  type WorkerEvent,
  type WorkerOptions,
} from "../src/mod.ts";
import { type Session, withQueue, writeNote } from "./app.ts";
import { checkedInput, RestartNeededError } from "./exit.ts";
import { survivingStrays, withoutExits } from "./handler_exits.ts";
import { isAway, withRemoteQueue } from "./remote_access.ts";
import { withOutputOnStandardError } from "./handler_output.ts";

/** What `--handlers` takes. */
export const HANDLERS_HELP =
  "a module whose exports are handlers, or a list of them in .json, .yaml or .toml";

/** The handlers of the file that the user named. @throws UsageError when it cannot be loaded. */
export function loadHandlerFile(file: string): Promise<HandlerRegistry> {
  const load = (): Promise<HandlerRegistry> =>
    loadHandlers(file, undefined, { threadOutput: "stderr" });
  return checkedInput(() => withOutputOnStandardError(load));
}

/** What `--modules` takes. */
export const MODULES_HELP = "command modules, in .json, .yaml or .toml";

/** The files of handlers that the user named. */
export interface HandlerFiles {
  readonly handlers?: string;
  readonly modules?: string;
}

/** The handlers of both files; nothing when none was named. @throws UsageError when one cannot be loaded. */
export async function loadHandlerFiles(
  { handlers, modules }: HandlerFiles,
): Promise<HandlerRegistry | undefined> {
  const registry = handlers === undefined ? undefined : await loadHandlerFile(handlers);
  if (modules === undefined) return registry;
  return await checkedInput(() => loadModules(modules, registry ?? new HandlerRegistry()));
}

/** The worker's options, and how long its handlers may go on after `work`, in milliseconds: asked when it is stopped. */
export interface WorkerSettings extends WorkerOptions {
  readonly graceMs: () => number;
}

/** What a worker knows of the settings, which a configuration has more of. */
function ownOf(options: WorkerOptions): WorkerOptions {
  const { queue, handlers, workerId, concurrency, capabilities, strategy } = options;
  const { leaseDurationMs, pollIntervalMs, logs, clock } = options;
  return {
    ...{ queue, handlers, workerId, concurrency, capabilities, strategy },
    ...{ leaseDurationMs, pollIntervalMs, logs, clock },
  };
}

/**
 * Runs a worker while `work` lasts, then stops it: handlers may finish for the grace time, what remains is released. A
 * handler cannot end the process, neither by what it leaves behind nor by an exit, and what it prints is not part of the answer. `work`
 * learns by `broken` when only a new process helps.
 */
export async function withWorker<T>(
  { graceMs, ...options }: WorkerSettings,
  work: (worker: Worker, broken: AbortSignal) => Promise<T>,
): Promise<T> {
  const broken = new AbortController();
  const onEvent = (event: WorkerEvent): void => {
    options.onEvent?.(event);
    if (event.isFatal) broken.abort(new RestartNeededError(`${event.message}; start it anew`));
  };
  const worker = await checkedInput(() => new Worker({ ...ownOf(options), onEvent, quiet: true }));
  const tell = (message: string): void => onEvent({ kind: "error", message });
  const workThenStop = async (): Promise<T> => {
    worker.start();
    try {
      return await work(worker, broken.signal);
    } finally {
      await worker.stop({ graceMs: graceMs() });
    }
  };
  return await survivingStrays(
    tell,
    () => withOutputOnStandardError(() => withoutExits(workThenStop)),
  );
}

/** Where a worker works. */
export interface Workplace {
  readonly queue: TaskQueue;
  readonly logs: LogStore;
  /** The queue's time, where that is not this machine's. */
  readonly clock?: Clock;
  /** How long the queue may give no answer before the worker ends, in milliseconds; default as for any service. */
  readonly unreadableMaxMs?: number;
}

/** How to open a queue and its logs. */
export interface QueueAndLogs extends QueueSettings {
  /** What one log may take. */
  readonly logMaxBytes: number;
}

/** Opens the session's queue, or makes it, and its logs, does `work`, and closes both. */
export function withQueueAndLogs<T>(
  session: Session,
  work: (queue: TaskQueue, logs: LogStore) => Promise<T>,
  { logMaxBytes, ...settings }: QueueAndLogs,
): Promise<T> {
  return withQueue(session, async (queue) => {
    const logs = openLogStore(session.dbPath, { taskMaxBytes: logMaxBytes });
    try {
      return await work(queue, logs);
    } finally {
      await logs.close();
    }
  }, settings);
}

/** Does `work` with the queue behind the server that was named, or with the session's own. */
export function withWorkplace<T>(
  session: Session,
  work: (place: Workplace) => Promise<T>,
  room: QueueAndLogs,
): Promise<T> {
  const { server } = session;
  if (server === null) {
    return withQueueAndLogs(session, (queue, logs) => work({ queue, logs }), room);
  }
  const tell = withoutRepeats((text) => writeNote(session, text));
  const onBackgroundError = (error: unknown): void => tell(messageOf(error));
  return withRemoteQueue(server, async (queue) => {
    await checkAccess(queue, tell);
    const { logs, clock } = queue;
    return await work({ queue, logs, clock, unreadableMaxMs: Infinity });
  }, { onBackgroundError });
}

/** A token that cannot be worked with ends the worker at once; a server that is away does not. */
async function checkAccess(queue: RemoteQueue, tell: (text: string) => void): Promise<void> {
  try {
    await queue.nextDueAt();
    await queue.retireWorker(`check-${crypto.randomUUID()}`); // needs what claims need, and changes nothing
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
    tell(`${messageOf(thrown)}; the worker waits for it`);
  }
}
