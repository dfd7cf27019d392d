/**
 * `holdfast cancel ID` and `holdfast retry ID`: what a person does to a task. The answer may be "no".
 */
import type { Task, TaskQueue } from "../../src/mod.ts";
import { taskJson } from "../../server/json.ts";
import {
  type App,
  findTask,
  ID_HELP,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";

/** One thing to do to a task. */
interface Act {
  readonly name: string;
  readonly description: string;
  /** What it is called in JSON when it is done. */
  readonly participle: string;
  /** `false` when the task's status does not allow it. */
  run(queue: TaskQueue, taskId: number): Promise<boolean>;
  /** The answer for people. */
  yes(task: Task): string;
  no(task: Task): string;
}

const ACTS: readonly Act[] = [
  {
    name: "cancel",
    description: "cancel a task that is queued or running",
    participle: "cancelled",
    run: (queue, taskId) => queue.cancel(taskId),
    yes: ({ id }) => `task ${id} is cancelled`,
    no: ({ id, status }) => `task ${id} is ${status} already`,
  },
  {
    name: "retry",
    description: "queue a failed or cancelled task again, with fresh attempts",
    participle: "retried",
    run: (queue, taskId) => queue.retry(taskId),
    yes: ({ id }) => `task ${id} is queued again`,
    no: ({ id, status }) =>
      `task ${id} is ${status}: only a failed or cancelled task can be retried`,
  },
];

/** Adds the commands. Exit code 1: the task's status does not allow it. */
export function addByHandCommands(program: Program, app: App): void {
  for (const act of ACTS) {
    program.command(act.name)
      .description(act.description)
      .argument("<id>", ID_HELP)
      .action((id, _options, command) =>
        app.run(command.optsWithGlobals(), (session) => perform(session, act, id))
      );
  }
}

function perform(session: Session, act: Act, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const { id } = await findTask(queue, reference);
    const isDone = await act.run(queue, id);
    const task = await findTask(queue, String(id));
    if (session.json) writeJson(session, { [act.participle]: isDone, task: taskJson(task) });
    writeLine(session, isDone ? act.yes(task) : act.no(task));
    return isDone ? EXIT.done : EXIT.no;
  });
}
