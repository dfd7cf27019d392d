/**
 * Moving: everything that a queue holds goes to another one, and never both give out the same task.
 *
 * 1. The source is closed (`leaving`); from here on it gives out and takes nothing. 2. The target, which is new, is closed, too
 * (`filling`). 3. What is leased in the source ends. 4. Everything is copied. 5. Both are compared. 6. The source notes that the
 * target may open (`handing_over`): from here on only a look at the target can tell whether the move may still be called off.
 * 7. The target opens. 8. The source is closed for good (`moved`).
 *
 * Each step is one transaction that finds what the one before has left, or changes nothing. So the same command goes on
 * wherever a killed one has stopped, and of two at a time one is refused.
 */
import { checkInteger } from "../domain/check.ts";
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import { quotePath } from "../domain/errors.ts";
import type { QueueClosure } from "../queue/closure.ts";
import type { MoveNotes } from "../queue/move_end.ts";
import { copyAll, verifyAll } from "./move_copy.ts";
import {
  type HeldTask,
  type MovedContents,
  type MoveOptions,
  type MoveProgress,
  MoveRefusedError,
  type MoveSide,
} from "./move_report.ts";

/** How often is looked for what is leased. */
const LOOK_EVERY_MS = 500;

/** How many leased tasks are told of. */
const HELD_MAX = 5;

const WAIT_DEFAULT_MS = 600_000;

/** A week. */
const WAIT_MAX_MS = 604_800_000;

const SILENT = (): void => {};

/** The move, in the words of both queues. */
interface Move {
  readonly moveId: string;
  readonly source: QueueClosure;
  /** How far the target has been filled. */
  readonly cursor: string;
}

/**
 * Moves everything, or goes on with a move that was begun.
 *
 * @returns What was moved; `null` when that had been done before.
 * @throws MoveRefusedError when it cannot be made, or what is leased does not end in time.
 */
export async function moveTasks(
  from: MoveSide,
  to: MoveSide,
  { waitMs = WAIT_DEFAULT_MS, onProgress = SILENT, clock = systemClock }: MoveOptions,
): Promise<MovedContents | null> {
  checkInteger(waitMs, "waitMs", 0, WAIT_MAX_MS);
  const move = await begin(from, to, clock);
  if (move === undefined) return null;
  if (move.source.state === "handing_over") {
    await handOver(from, to, move.source, clock);
    return null;
  }
  await untilAtRest(from, { waitMs, onProgress, clock });
  const { moveId, cursor } = move;
  await copyAll(from, to, { moveId, cursor, onProgress });
  const contents = await verifyAll(from, to, onProgress);
  const handingOver = await change(from, move.source, { state: "handing_over" }, clock);
  await handOver(from, to, handingOver, clock);
  return contents;
}

/** Closes both, if no earlier run has; `undefined` when the move is done. */
async function begin(from: MoveSide, to: MoveSide, clock: Clock): Promise<Move | undefined> {
  if (from.id === to.id) throw refused(from, to, "they are the same queue");
  const [{ closure }, target] = [await from.end.notes(), await to.end.notes()];
  if (closure !== null) {
    checkOwn(from, to, closure);
    if (closure.state === "moved") return undefined;
    if (target.received === closure.moveId) {
      await finish(from, closure, clock);
      return undefined;
    }
  }
  await checkTarget(from, to, { target, closure });
  const source = closure ?? await closeSource(from, to, clock);
  const cursor = target.closure?.cursor ?? await closeTarget(from, to, { source, clock });
  return { moveId: source.moveId, source, cursor };
}

/** A source that is closed must have been closed for this move. */
function checkOwn(from: MoveSide, to: MoveSide, { state, other, otherId }: QueueClosure): void {
  if (state === "filling" || state === "abandoned") {
    throw refused(from, to, `it is closed: a move from ${quotePath(other)} was to fill it`);
  }
  if (otherId === to.id) return;
  throw refused(
    from,
    to,
    state === "moved"
      ? `its tasks were moved to ${quotePath(other)} already`
      : `its tasks are being moved to ${
        quotePath(other)
      }: go on with that, or call it off by --cancel`,
  );
}

/** The target must be new, or have a part of this move. */
async function checkTarget(
  from: MoveSide,
  to: MoveSide,
  { target, closure }: { readonly target: MoveNotes; readonly closure: QueueClosure | null },
): Promise<void> {
  const known = target.closure;
  if (known === null) {
    if (closure?.state !== "handing_over" && await to.end.isNew()) return;
    throw refused(
      from,
      to,
      `${
        quotePath(to.place)
      } is not new: name a queue that has had no task, schedule, limit or pause`,
    );
  }
  if (known.state === "filling" && known.moveId === closure?.moveId) return;
  const why = known.state === "abandoned" && known.moveId === closure?.moveId
    ? "the move was called off: --cancel opens the old queue again"
    : `${quotePath(to.place)} is closed by another move (${known.state}, ${
      quotePath(known.other)
    }): name another queue`;
  throw refused(from, to, why);
}

async function closeSource(from: MoveSide, to: MoveSide, clock: Clock): Promise<QueueClosure> {
  const closure: QueueClosure = {
    state: "leaving",
    moveId: crypto.randomUUID(),
    other: to.place,
    otherId: to.id,
    since: new Date(clock.nowMs()),
    cursor: "",
  };
  if (await from.end.setClosure({ expected: null, next: closure })) return closure;
  throw refused(from, to, "another command has just closed it: look which, then repeat this one");
}

/** The cursor of a filling that begins. A target that is no longer new leaves the source as it was. */
async function closeTarget(
  from: MoveSide,
  to: MoveSide,
  { source, clock }: { readonly source: QueueClosure; readonly clock: Clock },
): Promise<string> {
  const { place: other, id: otherId } = from;
  const since = new Date(clock.nowMs());
  const next: QueueClosure = { ...source, state: "filling", other, otherId, since };
  if (await to.end.setClosure({ expected: null, next, ifNew: true })) return next.cursor;
  await from.end.setClosure({ expected: source, next: null });
  throw refused(
    from,
    to,
    `${quotePath(to.place)} has just been used by others: name another queue`,
  );
}

async function untilAtRest(
  { queue, end, place }: MoveSide,
  { waitMs, onProgress, clock }: {
    readonly waitMs: number;
    readonly onProgress: (progress: MoveProgress) => void;
    readonly clock: Clock;
  },
): Promise<void> {
  for (const untilMs = clock.nowMs() + waitMs;;) {
    await queue.rescue();
    if (await end.isAtRest()) return;
    const leased = await queue.count({ status: "leased" });
    const held = (await queue.list({ status: "leased", limit: HELD_MAX })).map((
      task,
    ): HeldTask => ({
      taskId: task.id,
      type: task.type,
      worker: task.lockedBy!,
      leaseUntil: task.leaseUntil!,
    }));
    onProgress({ phase: "wait", leased, held });
    if (clock.nowMs() >= untilMs) throw stillLeased(place, leased, held);
    await sleep(clock, LOOK_EVERY_MS);
  }
}

function stillLeased(
  place: string,
  leased: number,
  held: readonly HeldTask[],
): MoveRefusedError {
  const named = held.map(({ taskId, worker }) => `task ${taskId} by ${JSON.stringify(worker)}`);
  const more = leased > held.length ? ` and ${leased - held.length} more` : "";
  return new MoveRefusedError(
    `Cannot move the tasks of ${quotePath(place)} yet: ${leased} are still leased (${
      named.join(", ")
    }${more}); it stays closed, so repeat the command to go on, or add --cancel to open it again`,
  );
}

/** Opens the target and closes the source for good. */
async function handOver(
  from: MoveSide,
  to: MoveSide,
  source: QueueClosure,
  clock: Clock,
): Promise<void> {
  if (!await to.end.open(source.moveId, await from.end.usedUpTo())) {
    throw refused(from, to, "the move was called off: --cancel opens the old queue again");
  }
  await finish(from, source, clock);
}

async function finish(from: MoveSide, source: QueueClosure, clock: Clock): Promise<void> {
  await change(from, source, { state: "moved" }, clock);
}

/** The source's closure, as it is now. @throws MoveRefusedError when another command has changed it. */
async function change(
  from: MoveSide,
  expected: QueueClosure,
  values: Pick<QueueClosure, "state">,
  clock: Clock,
): Promise<QueueClosure> {
  const next = { ...expected, ...values, since: new Date(clock.nowMs()) };
  if (await from.end.setClosure({ expected, next })) return next;
  throw new MoveRefusedError(
    `Cannot go on moving ${
      quotePath(from.place)
    }: another command has called the move off, or goes on with it`,
  );
}

/** How the refusal of a move begins. */
export function refused(from: MoveSide, to: MoveSide, why: string): MoveRefusedError {
  return new MoveRefusedError(
    `Cannot move ${quotePath(from.place)} to ${quotePath(to.place)}: ${why}`,
  );
}
