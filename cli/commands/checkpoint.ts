/**
 * `holdfast checkpoint`: folds the journal into the snapshot, which any SQLite tool can read.
 */
import {
  type App,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
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
  return withExistingQueue(session, async (queue) => {
    const report = await showingWork(
      session.io,
      "folding the journal into the snapshot",
      () => queue.checkpoint(),
    );
    if (session.json) {
      writeJson(session, {
        sequence: report.sequence,
        snapshot_bytes: report.snapshotBytes,
        removed_segments: report.removedSegments,
      });
    }
    writeLine(
      session,
      `${session.dbPath} holds everything up to record ${report.sequence} (${
        bytesText(report.snapshotBytes)
      }); ${report.removedSegments} journal files removed`,
    );
    return EXIT.done;
  });
}
