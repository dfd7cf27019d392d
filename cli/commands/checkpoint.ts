/**
 * `holdfast checkpoint`: folds the journal into the snapshot, which any SQLite tool can read.
 */
import { type App, type Program, type Session, withDesk, writeJson, writeLine } from "../app.ts";
import { EXIT } from "../exit.ts";
import { showingWork } from "../progress.ts";
import { bytesText } from "../task_text.ts";

/** Adds the command. */
export function addCheckpointCommand(program: Program, app: App): void {
  program.command("checkpoint")
    .description("fold the journal into the snapshot, which any SQLite tool can read")
    .action((_options, command) => app.run(command.optsWithGlobals(), checkpoint));
}

function checkpoint(session: Session): Promise<number> {
  return withDesk(session, async (desk) => {
    const report = await showingWork(
      session.io,
      "folding the journal into the snapshot",
      () => desk.checkpoint(),
    );
    if (session.json) writeJson(session, report);
    const snapshot = session.server === null ? session.dbName : "the server's snapshot";
    writeLine(
      session,
      `${snapshot} holds everything up to record ${report.sequence} (${
        bytesText(report.snapshot_bytes)
      }); ${report.removed_segments} journal files removed`,
    );
    return EXIT.done;
  });
}
