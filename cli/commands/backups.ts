/**
 * `holdfast backup PATH` and `holdfast restore PATH`: a whole queue into one file and back.
 */
import { maintenanceOf, restoreBackup } from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseDatabase,
  refuseServer,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { showingWork } from "../progress.ts";
import { bytesText } from "../task_text.ts";

interface RestoreOptions {
  readonly force?: true;
}

/** Adds the commands. Exit code 4: the file is there already, the backup is damaged, the queue is open. */
export function addBackupCommands(program: Program, app: App): void {
  program.command("backup")
    .description("write the whole queue into a new file and verify it; the queue may be in use")
    .argument("<path>", "the new file; one that is there is never overwritten")
    .action((path, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => backup(session, path))
    );
  program.command("restore")
    .description("put a backup in the queue's place; copies of its files are kept beside it")
    .argument("<path>", "a file that `backup` or `repair` has written")
    .option("--force", "also when the queue is open somewhere: it is refused there from then on")
    .action((path, options, command) =>
      app.run(command.optsWithGlobals(), (session) => restore(session, path, options))
    );
}

/** What a user of a database does instead. */
const INSTEAD = "its own tools save and restore it, such as pg_dump --schema and pg_restore";

async function backup(session: Session, path: string): Promise<number> {
  refuseServer(session);
  refuseDatabase(session, INSTEAD);
  return await withExistingQueue(session, async (queue) => {
    const maintenance = maintenanceOf(queue)!;
    const { bytes, sequence, tasks } = await showingWork(
      session.io,
      "writing and verifying the backup",
      () => maintenance.backup(path),
    );
    if (session.json) writeJson(session, { path, bytes, sequence, tasks });
    writeLine(
      session,
      `${path} holds ${tasks} tasks, everything up to record ${sequence} (${bytesText(bytes)})`,
    );
    return EXIT.done;
  });
}

async function restore(session: Session, from: string, options: RestoreOptions): Promise<number> {
  refuseServer(session);
  refuseDatabase(session, INSTEAD);
  const { path, tasks, keptIn } = await showingWork(
    session.io,
    "verifying and restoring the backup",
    () => restoreBackup(from, session.dbPath, options),
  );
  if (session.json) writeJson(session, { path, tasks, kept_in: keptIn });
  writeLine(session, `${path} holds ${tasks} tasks`);
  if (keptIn !== null) writeLine(session, `what was there before is in ${keptIn}`);
  return EXIT.done;
}
