/**
 * `holdfast move`: everything that a queue holds goes to another one, to PostgreSQL or back.
 */
import {
  cancelQueueMove,
  type MoveCancelReport,
  moveQueue,
  type MoveReport,
  quotePath,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  refuseServer,
  type Session,
  writeJson,
  writeLine,
} from "../app.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { showingMove } from "../move_progress.ts";
import { durationFrom } from "../options.ts";

interface MoveCommandOptions {
  readonly from?: string;
  readonly to: string;
  readonly wait?: number;
  readonly cancel?: true;
}

const WEEK_MS = 604_800_000;

/** Adds the command. Exit code 1: it cannot be moved, or not yet. */
export function addMoveCommand(program: Program, app: App): void {
  program.command("move")
    .description("move everything into a new queue, to PostgreSQL or back; killed, it goes on")
    .option("--from <queue>", "the path or the address of the queue (default: that of --db)")
    .requiredOption("--to <queue>", "the path or the address of a queue that never had a task")
    .option(
      "--wait <duration>",
      "how long running tasks may take to end (default: 10m)",
      durationFrom(0, WEEK_MS),
    )
    .option("--cancel", "call off a move that is not done: the old queue opens again")
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => move(session, options))
    );
}

async function move(session: Session, options: MoveCommandOptions): Promise<number> {
  const { from = session.dbPath, to, wait, cancel } = options;
  if (options.from === undefined) refuseServer(session);
  if (cancel) {
    const report = await checkedInput(() => cancelQueueMove(from, to));
    return answer(session, { ...report, contents: null }, textOfCancel(report), "cancelled");
  }
  const report = await showingMove(
    session.io,
    (onProgress) => checkedInput(() => moveQueue(from, to, { waitMs: wait, onProgress })),
  );
  return answer(session, report, textOfMove(report), "moved");
}

function answer(
  session: Session,
  { from, to, contents }: MoveReport,
  text: string,
  state: "moved" | "cancelled",
): number {
  if (session.json) {
    writeJson(session, {
      from,
      to,
      state,
      contents: contents && {
        tasks: contents.tasks,
        by_status: contents.byStatus,
        by_type: contents.byType,
        transitions: contents.transitions,
        schedules: contents.schedules,
        checksum: contents.checksum,
      },
    });
  }
  writeLine(session, text);
  return EXIT.done;
}

function textOfMove({ from, to, contents }: MoveReport): string {
  const [old, now] = [quotePath(from), quotePath(to)];
  const rest = `${old} stays closed and says so: give ${now} to programs instead, then delete it`;
  if (contents === null) return `the tasks of ${old} are in ${now}, and were before\n${rest}`;
  const { tasks, transitions, schedules, checksum } = contents;
  return `${tasks} tasks, ${transitions} transitions and ${schedules} schedules are in ${now}, compared one by one (SHA-256 ${checksum})\n${rest}`;
}

function textOfCancel({ from, to, isClosed }: MoveCancelReport): string {
  const now = quotePath(to);
  const other = isClosed
    ? `${now} stays closed: delete it before you move there again`
    : `${now} was not changed`;
  return `${quotePath(from)} is open again; ${other}`;
}
