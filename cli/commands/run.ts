/**
 * `holdfast run TYPE`: stores a task, follows its log and progress until it is final, and exits with its outcome.
 */
import {
  type HandlerRegistry,
  isFinal,
  type LogStore,
  type NewTask,
  type ProjectConfig,
  type TaskQueue,
  type WorkerEvent,
  type WorkerOptions,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDesk,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import { type Desk, localDesk, type TaskDocument } from "../queue_access.ts";
import { loadHandlerFiles, withQueueAndLogs, withWorker } from "../embedded_worker.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { followTask } from "../follow.ts";
import { listenForInterrupts } from "../interrupt.ts";
import { type Progress, startProgress } from "../progress.ts";
import { addTaskOptions, newTaskOf, type TaskOptions } from "../task_options.ts";
import { logText, printable } from "../task_text.ts";
import { eventText } from "../worker_report.ts";
import { addRoomOptions, configured, type RoomOptions, roomSettings } from "../worker_settings.ts";

type RunOptions = TaskOptions & RoomOptions & {
  handlers?: string;
  modules?: string;
};

/** After this time a message says that no worker has taken the task, in milliseconds. */
const LONELY_AFTER_MS = 3000;

/** Adds the command. Exit code 1: the task failed or was cancelled. */
export function addRunCommand(program: Program, app: App): void {
  const base = program.command("run").argument("<type>", "which handler executes it");
  const command = addTaskOptions(base)
    .description("store a task, follow it to its end, and exit with its outcome")
    .option(
      "--handlers <file>",
      "execute this task in this process, with this handler file (default: the project's)",
    )
    .option(
      "--modules <file>",
      "execute this task in this process, with these command modules (default: the project's)",
    );
  addRoomOptions(command);
  command.action((type, options, command) =>
    app.run(command.optsWithGlobals(), (session) => run(session, type, options))
  );
}

async function run(session: Session, type: string, options: RunOptions): Promise<number> {
  const newTask = await newTaskOf(session, type, options);
  const { handlers: file, modules } = options;
  const { config } = await configured(session, {
    handlers: file,
    modules,
    ...roomSettings(options),
  });
  const handlers = await handlersFor(session, config, { type: type.trim(), options });
  await checkedInput(() => handlers?.checkPayloadAsync(type.trim(), newTask.payload ?? {}));
  const { leaseDurationMs, pollIntervalMs, memoryMaxBytes } = config;
  const { logMaxBytes, logsMaxBytes } = config;
  const executing = handlers === undefined
    ? undefined
    : { handlers, leaseDurationMs, pollIntervalMs };
  const { signal, dispose } = listenForInterrupts(session.io);
  try {
    if (executing === undefined) {
      const followOnly = (desk: Desk): Promise<number> =>
        storeAndFollow({ session, desk, signal, around: (follow) => follow() }, newTask);
      return await withDesk(session, followOnly, { mayMake: true });
    }
    return await withQueueAndLogs(session, (queue, logs) => {
      const here = { ...executing, queue, logs };
      const around: Around = (follow, taskId, progress) =>
        executingHere(here, taskId, { progress, follow });
      const desk = localDesk(queue, logs);
      return storeAndFollow({ session, desk, signal, around }, newTask);
    }, { memoryMaxBytes, logMaxBytes, logsMaxBytes });
  } finally {
    dispose();
  }
}

/**
 * With what this process executes the task: the handlers that were named, else the project's, if they know its type and the
 * queue is here. Otherwise the task is left to others.
 */
async function handlersFor(
  { server }: Session,
  config: ProjectConfig,
  { type, options }: { readonly type: string; readonly options: RunOptions },
): Promise<HandlerRegistry | undefined> {
  if ((options.handlers ?? options.modules) !== undefined) return await loadHandlerFiles(config);
  if (server !== null) return undefined;
  const handlers = await loadHandlerFiles(config);
  return handlers?.has(type) ? handlers : undefined;
}

/** What else happens while a task is followed. */
type Around = (follow: () => Promise<void>, taskId: number, progress: Progress) => Promise<void>;

interface Journey {
  readonly session: Session;
  readonly desk: Desk;
  readonly signal: AbortSignal;
  readonly around: Around;
}

async function storeAndFollow(
  { session, desk, signal, around }: Journey,
  newTask: NewTask,
): Promise<number> {
  const { id: taskId } = await store(session, desk, newTask);
  const progress = startProgress(session.io, { total: 100, unit: "%" });
  try {
    await around(() => follow({ desk, progress, taskId, signal }), taskId, progress);
  } finally {
    progress.stop();
  }
  return answer(session, await desk.find(String(taskId)));
}

async function store(session: Session, desk: Desk, newTask: NewTask): Promise<TaskDocument> {
  const { task, created } = await checkedInput(() => desk.enqueue(newTask));
  const what = created ? "is queued" : "was there already";
  writeNote(session, `task ${task.id} ${what} (run ${task.run_id})`);
  return task;
}

/** With what this process executes the task. */
type Executing = Pick<WorkerOptions, "handlers" | "leaseDurationMs" | "pollIntervalMs">;

/** While the task is followed, a worker in this process executes it and nothing else. */
async function executingHere(
  { queue, ...executing }: Executing & { readonly queue: TaskQueue; readonly logs: LogStore },
  taskId: number,
  { progress, follow }: { readonly progress: Progress; readonly follow: () => Promise<void> },
): Promise<void> {
  const onEvent = (event: WorkerEvent): void => {
    if (event.kind === "error") progress.line(eventText(event));
  };
  const settings = { ...executing, onEvent, concurrency: 1, graceMs: () => 0 };
  await withWorker({ ...settings, queue: onlyTask(queue, taskId) }, follow);
}

/** The same queue, out of which a worker gets this task and no other. */
function onlyTask(queue: TaskQueue, taskId: number): TaskQueue {
  return new Proxy(queue, {
    get(target, name): unknown {
      if (name === "claim") {
        const claim: TaskQueue["claim"] = (request) => target.claim({ ...request, taskId });
        return claim;
      }
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

interface Following {
  readonly desk: Desk;
  readonly progress: Progress;
  readonly taskId: number;
  readonly signal: AbortSignal;
}

async function follow({ progress, ...rest }: Following): Promise<void> {
  const lonely = setTimeout(() => {
    progress.line(`task ${rest.taskId} waits: no worker has taken it yet`);
  }, LONELY_AFTER_MS);
  try {
    await followTask({
      ...rest,
      onLine: (line) => progress.line(logText(line)),
      onTask: (task) => {
        if (task.status !== "queued") clearTimeout(lonely);
        if (task.progress_percent !== null) progress.update(task.progress_percent, noteOf(task));
      },
    });
  } finally {
    clearTimeout(lonely);
  }
}

function noteOf({ progress_message: message }: TaskDocument): string | undefined {
  return message === null ? undefined : printable(message);
}

function answer(session: Session, task: TaskDocument): number {
  if (!isFinal(task.status)) {
    writeNote(session, `holdfast: interrupted; task ${task.id} stays ${task.status}`);
    return EXIT.interrupted;
  }
  if (session.json) writeJson(session, task);
  if (task.status === "completed") {
    writeLine(session, JSON.stringify(task.result));
    return EXIT.done;
  }
  const reason = task.error_message === null ? "" : `: ${printable(task.error_message)}`;
  writeNote(session, `holdfast: task ${task.id} is ${task.status}${reason}`);
  return EXIT.no;
}
