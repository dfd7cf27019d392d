/**
 * `holdfast show ID`: everything about one task.
 */
import {
  type App,
  ID_HELP,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { taskPage } from "../task_text.ts";
import { writeTransitions } from "./transitions.ts";

interface ShowOptions {
  readonly history?: true;
}

/** Adds the command. */
export function addShowCommand(program: Program, app: App): void {
  program.command("show")
    .description("show a task")
    .argument("<id>", ID_HELP)
    .option("--history", "and everything that happened to it, in order")
    .action((id, options, command) =>
      app.run(command.optsWithGlobals(), (session) => show(session, id, options))
    );
}

function show(session: Session, reference: string, options: ShowOptions): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const task = await desk.find(reference);
    if (!options.history) {
      if (session.json) writeJson(session, task);
      writeLine(session, taskPage(task, session.style));
      return EXIT.done;
    }
    const { transitions, next_cursor } = await desk.transitions(String(task.id));
    if (session.json) writeJson(session, { task, transitions, next_cursor });
    writeLine(session, taskPage(task, session.style));
    writeTransitions(session, transitions);
    if (next_cursor !== null) {
      writeNote(session, `the next ones: holdfast transitions ${task.id} --cursor ${next_cursor}`);
    }
    return EXIT.done;
  });
}
