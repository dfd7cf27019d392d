/**
 * `holdfast check` and `holdfast repair`: whether a queue is whole, and what can be salvaged when it is not.
 */
import {
  CorruptionError,
  type IntegrationCheck,
  maintenanceOf,
  repairQueue,
  StorageError,
  validateQueueIntegration,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseDatabase,
  refuseServer,
  type Session,
  withQueueToRead,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { showingWork } from "../progress.ts";
import { shellWord } from "../shell_quoting.ts";
import { printable } from "../task_text.ts";

interface RepairOptions {
  readonly output?: string;
  readonly force?: true;
}

/** Adds the commands. Exit code 4: the queue is damaged, or cannot be repaired; 3: it could not be checked. */
export function addRepairCommands(program: Program, app: App): void {
  program.command("check")
    .description(
      "verify the queue's files, and try a copy of the queue out; ends with 4 when it is damaged, " +
        "with 3 when it could not be checked",
    )
    .action((_options, command) => app.run(command.optsWithGlobals(), check));
  program.command("repair")
    .description("salvage a damaged queue into a new file, for `restore`; the damaged files stay")
    .option("--output <path>", "the new file (default: the queue's path and .repaired)")
    .option("--force", "also when the queue is open somewhere")
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => repair(session, options))
    );
}

async function check(session: Session): Promise<number> {
  refuseServer(session);
  const { checks, errors, verdict } = await showingWork(
    session.io,
    "checking the queue",
    () => examine(session),
  );
  if (session.json) writeJson(session, { success: verdict === "whole", checks, errors });
  for (const each of errors) writeLine(session, `wrong: ${printable(each)}`);
  writeLine(session, VERDICTS[verdict].text);
  return VERDICTS[verdict].code;
}

/** What a check can come to. */
const VERDICTS = Object.freeze({
  whole: { text: "the queue is whole and works", code: EXIT.done },
  damaged: { text: "the queue is damaged", code: EXIT.storage },
  unknown: { text: "the queue could not be checked", code: EXIT.notFound },
  untried: {
    text: "the queue's files are whole, but a copy of it could not be tested here",
    code: EXIT.notFound,
  },
});

interface Examination {
  readonly checks: readonly IntegrationCheck[];
  readonly errors: readonly string[];
  readonly verdict: keyof typeof VERDICTS;
}

/** The files are read first, for which no permission to write is needed; only then a copy is tested. */
async function examine(session: Session): Promise<Examination> {
  try {
    const report = await withQueueToRead(
      session,
      async (queue) => await maintenanceOf(queue)?.integrityCheck(),
    );
    if (report?.ok === false) return { checks: [], errors: report.problems, verdict: "damaged" };
  } catch (thrown) {
    const { cause } = thrown as Error;
    const verdict = cause instanceof CorruptionError ? "damaged" : "unknown";
    if (!(cause instanceof StorageError)) throw thrown;
    return { checks: [], errors: [cause.message], verdict };
  }
  const { checks, errors } = await validateQueueIntegration(session.dbPath);
  if (errors.length === 0) return { checks, errors, verdict: "whole" };
  return { checks, errors, verdict: checks.length === 1 ? "untried" : "damaged" };
}

async function repair(session: Session, options: RepairOptions): Promise<number> {
  refuseServer(session);
  refuseDatabase(
    session,
    "PostgreSQL keeps its own files whole; check looks at the queue, a dump brings it back",
  );
  const { path, tasks, records, lost } = await showingWork(
    session.io,
    "salvaging the queue",
    () => repairQueue(session.dbPath, options),
  );
  if (session.json) writeJson(session, { path, tasks, records, lost });
  writeLine(session, `${path} holds the ${tasks} tasks that could be salvaged`);
  for (const part of lost) {
    writeLine(
      session,
      `lost: ${part.bytes} bytes from ${part.offset} of ${part.path}: ${printable(part.reason)}`,
    );
  }
  const [queue, salvaged] = [session.dbPath, path].map((word) =>
    shellWord(word, Deno.build.os === "windows")
  );
  writeLine(
    session,
    `put it in the queue's place with: holdfast --db ${queue} restore ${salvaged}`,
  );
  return EXIT.done;
}
