/**
 * `holdfast explain ID`: why a task is where it is.
 */
import { explanationJson } from "../../server/json.ts";
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
import { EXIT, NotFoundError } from "../exit.ts";
import { printable } from "../task_text.ts";

/** Adds the command. */
export function addExplainCommand(program: Program, app: App): void {
  program.command("explain")
    .description("say why a task is not running, or how it ended")
    .argument("<id>", ID_HELP)
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => explain(session, id))
    );
}

function explain(session: Session, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const { id } = await findTask(queue, reference);
    const explanation = await queue.explain(id);
    if (explanation === undefined) throw new NotFoundError(`task ${id} was just deleted`);
    if (session.json) writeJson(session, explanationJson(explanation));
    writeLine(session, printable(explanation.summary));
    return EXIT.done;
  });
}
