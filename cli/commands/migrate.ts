/**
 * `holdfast migrate`: the SQL that brings a queue's schema to this version, printed and run.
 */
import { migrateQueue, type MigrationReport } from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseServer,
  type Session,
  writeJson,
  writeLine,
} from "../app.ts";
import { checkedInput, EXIT } from "../exit.ts";

interface MigrateOptions {
  readonly dryRun?: boolean;
}

/** Adds the command. Exit code 4: the database cannot be reached, or the schema cannot be brought to this version. */
export function addMigrateCommand(program: Program, app: App): void {
  program.command("migrate")
    .description("make the tables of a queue on PostgreSQL, or bring them to this version")
    .option("--dry-run", "print the SQL, and change nothing")
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => migrate(session, options))
    );
}

async function migrate(session: Session, { dryRun = false }: MigrateOptions): Promise<number> {
  refuseServer(session);
  const report = await checkedInput(() => migrateQueue(session.dbPath, { dryRun }));
  const { location, version, newest, sql } = report;
  if (session.json) {
    writeJson(session, { location, version, newest, sql: [...sql], done: !dryRun });
  }
  for (const step of sql) writeLine(session, step);
  writeLine(session, outcome(report, dryRun));
  return EXIT.done;
}

/** A comment, so that what `--dry-run` prints is SQL as it stands. */
function outcome({ location, version, newest, sql }: MigrationReport, dryRun: boolean): string {
  if (newest === null) return `-- ${location} is a file: opening it brings it to this version`;
  if (sql.length === 0) return `-- ${location} has version ${newest} already`;
  const change = `${location} from version ${version} to ${newest}`;
  return dryRun ? `-- would bring ${change}; nothing was changed` : `-- brought ${change}`;
}
