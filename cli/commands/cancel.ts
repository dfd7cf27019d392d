/**
 * `holdfast cancel ID`: cancels a queued or running task.
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

/** Adds the command. Exit code 1: the task is final already. */
export function addCancelCommand(program: Program, app: App): void {
  program.command("cancel")
    .description("cancel a task that is queued or running")
    .argument("<id>", ID_HELP)
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => cancel(session, id))
    );
}

function cancel(session: Session, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const { id } = await findTask(queue, reference);
    const cancelled = await queue.cancel(id);
    const task = await findTask(queue, String(id));
    if (session.json) writeJson(session, { cancelled, task: taskJson(task) });
    writeLine(
      session,
      cancelled ? `task ${id} is cancelled` : `task ${id} is ${task.status} already`,
    );
    return cancelled ? EXIT.done : EXIT.no;
  });
}
