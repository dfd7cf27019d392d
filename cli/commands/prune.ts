/**
 * `holdfast prune`: deletes finished tasks for good, by age and count.
 */
import { Option } from "@commander-js/extra-typings";
import {
  type App,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { showingWork } from "../progress.ts";
import { duration, integerFrom } from "../options.ts";

interface PruneOptions {
  readonly olderThan?: number;
  readonly keep?: number;
  readonly status?: ("completed" | "failed" | "cancelled")[];
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
      new Option("--status <status...>", "only these").choices(
        ["completed", "failed", "cancelled"] as const,
      ),
    )
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => prune(session, options))
    );
}

function prune(session: Session, { olderThan, keep, status }: PruneOptions): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const request = { olderThanMs: olderThan, keep, statuses: status };
    const { pruned, byStatus } = await showingWork(
      session.io,
      "deleting tasks",
      () => checkedInput(() => queue.prune(request)),
    );
    if (session.json) writeJson(session, { pruned, by_status: byStatus });
    const { completed, failed, cancelled } = byStatus;
    writeLine(
      session,
      `${pruned} tasks deleted: ${completed} completed, ${failed} failed, ${cancelled} cancelled`,
    );
    return EXIT.done;
  });
}
