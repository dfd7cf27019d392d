/**
 * `holdfast logs ID`: what a task's handler said.
 */
import type { LogLine, Task } from "../../src/mod.ts";
import {
  type App,
  findTask,
  ID_HELP,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import { withQueueAndLogs } from "../embedded_worker.ts";
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
  return withQueueAndLogs(session, async (queue, logs) => {
    const task = await findTask(queue, reference);
    const { lines } = await logs.read(task.id, 0);
    for (const line of lines) writeLine(session, logText(line));
    if (session.json) writeJson(session, logJson(task, lines));
    return EXIT.done;
  }, withExistingQueue);
}

/** With `--json` the lines appear on standard error as they come, and as one document at the end. */
async function followLogs(session: Session, reference: string): Promise<number> {
  const interrupts = listenForInterrupts(session.io);
  try {
    return await withQueueAndLogs(session, async (queue, logs) => {
      const task = await findTask(queue, reference);
      const lines: LogLine[] = [];
      const onLine = (line: LogLine): void => {
        lines.push(line);
        (session.json ? writeNote : writeLine)(session, logText(line));
      };
      const signal = AbortSignal.any([interrupts.signal, session.io.outClosed]);
      await followTask({ queue, logs, taskId: task.id, signal, onLine });
      if (session.json) writeJson(session, logJson(task, lines));
      return interrupts.signal.aborted ? EXIT.interrupted : EXIT.done;
    }, withExistingQueue);
  } finally {
    interrupts.dispose();
  }
}

function logJson(task: Task, lines: readonly LogLine[]): Record<string, unknown> {
  return { task_id: task.id, run_id: task.runId, lines };
}
