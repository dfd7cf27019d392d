/**
 * `holdfast retry ID`: queues a failed or cancelled task again.
 */
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

/** Adds the command. Exit code 1: the task is neither failed nor cancelled. */
export function addRetryCommand(program: Program, app: App): void {
  program.command("retry")
    .description("queue a failed or cancelled task again, with fresh attempts")
    .argument("<id>", ID_HELP)
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => retry(session, id))
    );
}

function retry(session: Session, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const { id } = await findTask(queue, reference);
    const retried = await queue.retry(id);
    const task = await findTask(queue, String(id));
    if (session.json) writeJson(session, { retried, task: taskJson(task) });
    writeLine(
      session,
      retried
        ? `task ${id} is queued again`
        : `task ${id} is ${task.status}: only a failed or cancelled task can be retried`,
    );
    return retried ? EXIT.done : EXIT.no;
  });
}
