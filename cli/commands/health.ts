/**
 * `holdfast health`: how the queue is, and why. Exit code 1: it is unhealthy.
 */
import {
  type App,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { statusStyle } from "../style.ts";
import { printable } from "../task_text.ts";

/** Adds the command. */
export function addHealthCommand(program: Program, app: App): void {
  program.command("health")
    .description("say how the queue is, and why; ends with 1 when it is unhealthy")
    .action((_options, command) => app.run(command.optsWithGlobals(), health));
}

function health(session: Session): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.health();
    const { status, reasons } = document;
    if (session.json) writeJson(session, document);
    writeLine(session, statusStyle(session.style, status)(status));
    for (const { severity, code, message } of reasons) {
      writeLine(session, `${severity}: ${printable(message)} (${code})`);
    }
    return status === "unhealthy" ? EXIT.no : EXIT.done;
  });
}
