/**
 * `holdfast explain ID`: why a task is where it is.
 */
import {
  type App,
  ID_HELP,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";
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
  return withDeskToRead(session, async (desk) => {
    const explanation = await desk.explain(reference);
    if (session.json) writeJson(session, explanation);
    writeLine(session, printable(explanation.summary));
    return EXIT.done;
  });
}
