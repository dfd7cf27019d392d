/**
 * `holdfast check` and `holdfast repair`: whether a queue is whole, and what can be salvaged when it is not.
 */
import { repairQueue, validateQueueIntegration } from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseServer,
  type Session,
  withExistingQueue,
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

/** Adds the commands. Exit code 4: the queue is damaged, or cannot be repaired. */
export function addRepairCommands(program: Program, app: App): void {
  program.command("check")
    .description(
      "verify the queue's files, and try a copy of the queue out; ends with 4 when it is damaged",
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
  const { checks, wrong } = await showingWork(session.io, "checking the queue", async () => {
    const { checks, errors } = await validateQueueIntegration(session.dbPath);
    if (errors.length > 0) return { checks, wrong: errors };
    const report = await withExistingQueue(session, (queue) => queue.integrityCheck());
    return { checks, wrong: report.problems };
  });
  if (session.json) writeJson(session, { success: wrong.length === 0, checks, errors: wrong });
  for (const each of wrong) writeLine(session, `wrong: ${printable(each)}`);
  writeLine(session, wrong.length === 0 ? "the queue is whole and works" : "the queue is damaged");
  return wrong.length === 0 ? EXIT.done : EXIT.storage;
}

async function repair(session: Session, options: RepairOptions): Promise<number> {
  refuseServer(session);
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
