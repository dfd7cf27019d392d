/**
 * `holdfast enqueue TYPE`, `holdfast enqueue --batch FILE`: stores tasks; when it ends with 0 they are on disk.
 */
import { type EnqueueResult, TASK_LIMITS } from "../../src/mod.ts";
import { taskJson } from "../../server/json.ts";
import { type App, type Program, type Session, withQueue, writeJson, writeLine } from "../app.ts";
import { parseBatch } from "../batch_file.ts";
import { checkedInput, EXIT, UsageError } from "../exit.ts";
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
  return await withQueue(session, async (queue) => {
    const { task, created } = await checkedInput(() => queue.enqueue(newTask));
    if (session.json) writeJson(session, { created, task: taskJson(task) });
    writeLine(
      session,
      created
        ? `task ${task.id} is queued (run ${task.runId})`
        : `task ${task.id} was there already and is ${task.status} (run ${task.runId})`,
    );
    return EXIT.done;
  });
}

async function enqueueBatch(session: Session, file: string): Promise<number> {
  const newTasks = parseBatch(await readInput(session, file));
  if (newTasks.length > TASK_LIMITS.batchMax) {
    throw new UsageError(
      `${file} holds ${newTasks.length} tasks: at most ${TASK_LIMITS.batchMax} are allowed in a batch`,
    );
  }
  return await withQueue(session, async (queue) => {
    const results = await checkedInput(() => queue.enqueueBatch(newTasks));
    const created = results.filter((result) => result.created).length;
    const existing = results.length - created;
    if (session.json) {
      writeJson(session, { created, existing, tasks: results.map(batchResultJson) });
    }
    writeLine(session, `${created} tasks are queued, ${existing} were there already`);
    return EXIT.done;
  });
}

function batchResultJson({ task, created }: EnqueueResult): Record<string, unknown> {
  return { id: task.id, run_id: task.runId, created };
}
