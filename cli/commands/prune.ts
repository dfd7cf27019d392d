/**
 * `holdfast prune`: deletes finished tasks for good, by age and count.
 */
import { FINAL_STATUSES, type FinalStatus } from "../../src/mod.ts";
import { type App, type Program, type Session, withDesk, writeJson, writeLine } from "../app.ts";
import { EXIT, UsageError } from "../exit.ts";
import { showingWork } from "../progress.ts";
import { duration, integerFrom, someOption } from "../options.ts";

interface PruneOptions {
  readonly olderThan?: number;
  readonly keep?: number;
  readonly status?: readonly FinalStatus[];
}

/** Adds the command. */
export function addPruneCommand(program: Program, app: App): void {
  program.command("prune")
    .description("delete finished tasks for good, with their logs; at least one limit is needed")
    .option(
      "--older-than <duration>",
      "only those that finished longer ago: 30d, 12h, 5m",
      duration,
    )
    .option(
      "--keep <n>",
      "of each status, those that finished last stay",
      integerFrom(0, Number.MAX_SAFE_INTEGER),
    )
    .addOption(
      someOption("--status <status...>", "only these", FINAL_STATUSES),
    )
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => prune(session, options))
    );
}

function prune(session: Session, { olderThan, keep, status }: PruneOptions): Promise<number> {
  if (olderThan === undefined && keep === undefined) {
    throw new UsageError(
      "--older-than or --keep is needed, such as --older-than 30d; --keep 0 deletes all that are finished",
    );
  }
  return withDesk(session, async (desk) => {
    const request = { olderThanMs: olderThan, keep, statuses: status };
    const document = await showingWork(session.io, "deleting tasks", () => desk.prune(request));
    if (session.json) writeJson(session, document);
    const { completed, failed, cancelled } = document.by_status;
    writeLine(
      session,
      `${document.pruned} tasks deleted: ${completed} completed, ${failed} failed, ${cancelled} cancelled`,
    );
    return EXIT.done;
  });
}
