/**
 * `holdfast enqueue TYPE`, `holdfast enqueue --batch FILE`: stores tasks; when it ends with 0 they are on disk.
 */
import { TASK_LIMITS } from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDesk,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import { parseBatch } from "../batch_file.ts";
import { checkedInput, EXIT, UsageError } from "../exit.ts";
import { aborted, listenForInterrupts } from "../interrupt.ts";
import { showingWork } from "../progress.ts";
import { addTaskOptions, newTaskOf, readInput, type TaskOptions } from "../task_options.ts";

type EnqueueOptions = TaskOptions & { batch?: string };

/** Adds the command. */
export function addEnqueueCommand(program: Program, app: App): void {
  addTaskOptions(program.command("enqueue").argument("[type]", "which handler executes it"))
    .description("store a task, or a batch of tasks (all of them or none)")
    .option("--batch <file>", "a file with one JSON object per line, - for standard input")
    .action((type, options, command) =>
      app.run(command.optsWithGlobals(), (session) => enqueue(session, type, options))
    );
}

function enqueue(
  session: Session,
  type: string | undefined,
  { batch, ...options }: EnqueueOptions,
): Promise<number> {
  if (batch === undefined) {
    if (type === undefined) throw new UsageError("enqueue needs a task type, or --batch FILE");
    return enqueueOne(session, type, options);
  }
  if (type !== undefined || Object.keys(options).length > 0) {
    throw new UsageError("--batch goes alone: the file says everything about its tasks");
  }
  return enqueueBatch(session, batch);
}

async function enqueueOne(session: Session, type: string, options: TaskOptions): Promise<number> {
  const newTask = await newTaskOf(session, type, options);
  return await withDesk(session, async (desk) => {
    const document = await checkedInput(() => desk.enqueue(newTask));
    const { task, outcome } = document;
    if (session.json) writeJson(session, document);
    writeLine(
      session,
      outcome === "created"
        ? `task ${task.id} is queued (run ${task.run_id})`
        : outcome === "replaced"
        ? `task ${task.id} was there already and has this payload now (run ${task.run_id})`
        : `task ${task.id} was there already and is ${task.status} (run ${task.run_id})`,
    );
    return EXIT.done;
  }, { mayMake: true });
}

/** An interrupt while the batch is read or checked stores nothing; one while it is stored waits for that. */
async function enqueueBatch(session: Session, file: string): Promise<number> {
  const { signal, dispose } = listenForInterrupts(session.io);
  try {
    const text = await Promise.race([readInput(session, file), aborted(signal)]);
    if (text === undefined) return interrupted(session);
    const newTasks = parseBatch(text);
    checkSize(file, newTasks.length);
    return await withDesk(session, async (desk) => {
      if (signal.aborted) return interrupted(session);
      const document = await showingWork(
        session.io,
        `storing ${newTasks.length} tasks`,
        () => checkedInput(() => desk.enqueueBatch(newTasks)),
      );
      if (session.json) writeJson(session, document);
      const { created, existing } = document;
      writeLine(session, `${created} tasks are queued, ${existing} were there already`);
      return EXIT.done;
    }, { mayMake: true });
  } finally {
    dispose();
  }
}

function interrupted(session: Session): number {
  writeNote(session, "holdfast: interrupted; nothing is stored");
  return EXIT.interrupted;
}

function checkSize(file: string, tasks: number): void {
  if (tasks <= TASK_LIMITS.batchMax) return;
  throw new UsageError(
    `${file} holds ${tasks} tasks: at most ${TASK_LIMITS.batchMax} are allowed in a batch`,
  );
}
