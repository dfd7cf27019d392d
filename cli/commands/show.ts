/**
 * `holdfast show ID`: everything about one task.
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
import { taskPage } from "../task_text.ts";

/** Adds the command. */
export function addShowCommand(program: Program, app: App): void {
  program.command("show")
    .description("show a task")
    .argument("<id>", ID_HELP)
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => show(session, id))
    );
}

function show(session: Session, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const task = await findTask(queue, reference);
    if (session.json) writeJson(session, taskJson(task));
    writeLine(session, taskPage(task));
    return EXIT.done;
  });
}
