/**
 * `holdfast logs ID`: what a task's handler said.
 */
import type { LogLine } from "../../src/mod.ts";
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
import { logPages, type TaskDocument } from "../queue_access.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { followTask } from "../follow.ts";
import { listenForInterrupts } from "../interrupt.ts";
import { logText } from "../task_text.ts";

/** Adds the command. */
export function addLogsCommand(program: Program, app: App): void {
  program.command("logs")
    .description("print the log of a task")
    .argument("<id>", ID_HELP)
    .option("-f, --follow", "go on until the task is final")
    .action((id, options, command) =>
      app.run(
        command.optsWithGlobals(),
        (session) => options.follow ? followLogs(session, id) : printLogs(session, id),
      )
    );
}

function printLogs(session: Session, reference: string): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const task = await desk.find(reference);
    const all: LogLine[] = [];
    for await (const { lines } of logPages(desk, task)) {
      for (const line of lines) writeLine(session, logText(line));
      if (session.json) all.push(...lines);
    }
    if (session.json) writeJson(session, logJson(task, all));
    return EXIT.done;
  });
}

/** With `--json` the lines appear on standard error as they come, and as one document at the end. */
async function followLogs(session: Session, reference: string): Promise<number> {
  const interrupts = listenForInterrupts(session.io);
  try {
    return await withDeskToRead(session, async (desk) => {
      const task = await desk.find(reference);
      const lines: LogLine[] = [];
      const onLine = (line: LogLine): void => {
        if (session.json) lines.push(line);
        (session.json ? writeNote : writeLine)(session, logText(line));
      };
      const signal = AbortSignal.any([interrupts.signal, session.io.outClosed]);
      await followTask({ desk, taskId: task.id, signal, onLine });
      if (session.json) writeJson(session, logJson(task, lines));
      return interrupts.signal.aborted ? EXIT.interrupted : EXIT.done;
    });
  } finally {
    interrupts.dispose();
  }
}

function logJson(task: TaskDocument, lines: readonly LogLine[]): DocumentOf<"Log"> {
  return { task_id: task.id, run_id: task.run_id, lines: [...lines] };
}
