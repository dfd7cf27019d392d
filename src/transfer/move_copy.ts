/**
 * Copying and comparing what a move carries, part by part.
 *
 * The queue that it comes from is closed and at rest, so its parts go together. The queue that it goes to notes with each part,
 * in the same transaction, where the next one begins: a copy that was killed goes on there, and no part comes twice.
 */
import { quotePath } from "../domain/errors.ts";
import { TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { FillingPart, MovedTask, MoveEnd, TransitionPart } from "../queue/move_end.ts";
import { Checksum, lineOf } from "./move_checksum.ts";
import { type MovedContents, type MoveProgress, MoveRefusedError } from "./move_report.ts";
import type { MoveSide } from "./move_report.ts";

type OnProgress = (progress: MoveProgress) => void;

/** The copy is complete. */
const COPIED = "copied";

/** A copy under way. */
interface Copy {
  readonly from: MoveEnd;
  /** Adds a part; the next one begins at `to`. */
  readonly add: (part: Omit<FillingPart, "moveId" | "from" | "to">, to: string) => Promise<void>;
  readonly onProgress: OnProgress;
}

/** Copies what is not there yet. @throws MoveRefusedError when another command is at it. */
export async function copyAll(
  from: MoveSide,
  to: MoveSide,
  { moveId, cursor, onProgress }: {
    readonly moveId: string;
    readonly cursor: string;
    readonly onProgress: OnProgress;
  },
): Promise<void> {
  let at = cursor;
  const add: Copy["add"] = async (part, next) => {
    if (!await to.end.fill({ ...part, moveId, from: at, to: next })) {
      throw new MoveRefusedError(
        `Cannot go on filling ${
          quotePath(to.place)
        }: another command moves or has called off the same; see which, then repeat this one`,
      );
    }
    at = next;
  };
  const copy: Copy = { from: from.end, add, onProgress };
  const [stage, place] = stageOf(cursor);
  if (stage === COPIED) return;
  if (stage === "tasks") {
    const [done, total] = [await to.queue.count(), await from.queue.count()];
    await copyTasks(copy, Number(place), { done, total });
  }
  await copyTransitions(copy, stage === "tasks" || place === "" ? null : place);
  const [schedules, limits] = [await from.end.readSchedules(), await from.end.readLimits()];
  await add({ schedules, limits }, COPIED);
}

/** A cursor is a stage and, behind a blank, a place within it; an empty one is the beginning. */
function stageOf(cursor: string): readonly [stage: string, place: string] {
  const [stage, place = ""] = cursor.split(" ") as [string, string?];
  return stage === "" ? ["tasks", "0"] : [stage, place];
}

/** While one part is stored the next is read. */
async function copyTasks(
  { from, add, onProgress }: Copy,
  begin: number,
  { done: before, total }: { readonly done: number; readonly total: number },
): Promise<void> {
  let reading = ahead(from.readTasks({ after: begin }));
  for (let done = before;;) {
    const tasks = await reading;
    const last = tasks.at(-1);
    if (last === undefined) return await add({}, "transitions");
    reading = ahead(from.readTasks({ after: last.id }));
    await add({ tasks }, `tasks ${last.id}`);
    done += tasks.length;
    onProgress({ phase: "tasks", done, total });
  }
}

async function copyTransitions(
  { from, add, onProgress }: Copy,
  begin: string | null,
): Promise<void> {
  let reading = ahead(from.readTransitions(begin));
  for (let done = 0;;) {
    const { transitions, cursor } = await reading;
    if (transitions.length === 0) return;
    reading = ahead(from.readTransitions(cursor));
    await add({ transitions }, `transitions ${cursor}`);
    done += transitions.length;
    onProgress({ phase: "transitions", done, total: null });
  }
}

/** Reads ahead; a failure is that of who waits for it, if anything does. */
function ahead<T>(reading: Promise<T>): Promise<T> {
  reading.catch(() => {});
  return reading;
}

/** Compares everything that both hold. @throws MoveRefusedError when something differs; the copy stays closed then. */
export async function verifyAll(
  from: MoveSide,
  to: MoveSide,
  onProgress: OnProgress,
): Promise<MovedContents> {
  const checksum = new Checksum();
  const total = await from.queue.count();
  const tasks = await verifyTasks(from, to, { checksum, total, onProgress });
  const transitions = await verifyTransitions(from, to, checksum);
  const [schedules, others] = [await from.end.readSchedules(), await to.end.readSchedules()];
  const problem = await checksum.compare(schedules.map(lineOf), others.map(lineOf));
  if (problem !== undefined) throw difference(to, `schedule ${problem + 1}`);
  const [limits, moved] = [await from.end.readLimits(), await to.end.readLimits()];
  const wrong = await checksum.compare(limits.map(lineOf), moved.map(lineOf));
  if (wrong !== undefined) throw difference(to, `limit ${wrong + 1}`);
  const [source, target] = [await from.queue.stats(), await to.queue.stats()];
  if (lineOf(countsOf(source)) !== lineOf(countsOf(target))) throw difference(to, "the counts");
  return {
    ...countsOf(source),
    tasks,
    transitions,
    schedules: schedules.length,
    checksum: checksum.text,
  };
}

/** A type may be known to one of them although it has no tasks. */
function countsOf(
  { byStatus, byType }: Pick<MovedContents, "byStatus" | "byType">,
): Pick<MovedContents, "byStatus" | "byType"> {
  const all = (counts: Readonly<Record<TaskStatus, number>>): number =>
    TASK_STATUSES.reduce((sum, status) => sum + counts[status], 0);
  const types = Object.keys(byType).filter((type) => all(byType[type]!) > 0).sort();
  return { byStatus, byType: Object.fromEntries(types.map((type) => [type, byType[type]!])) };
}

async function verifyTasks(
  from: MoveSide,
  to: MoveSide,
  { checksum, total, onProgress }: {
    readonly checksum: Checksum;
    readonly total: number;
    readonly onProgress: OnProgress;
  },
): Promise<number> {
  const read = async (after: number): Promise<readonly [MovedTask[], MovedTask[]]> => {
    const source = await from.end.readTasks({ after });
    const upTo = source.at(-1)?.id ?? Number.MAX_SAFE_INTEGER;
    return [source, await to.end.readTasks({ after, upTo })];
  };
  let reading = ahead(read(0));
  for (let done = 0;;) {
    const [source, target] = await reading;
    const last = source.at(-1);
    if (last !== undefined) reading = ahead(read(last.id));
    const problem = await checksum.compare(source.map(lineOf), target.map(lineOf));
    if (problem !== undefined) {
      const { id } = (source[problem] ?? target[problem])!;
      throw difference(to, `task ${id}`);
    }
    if (last === undefined) return done;
    done += source.length;
    onProgress({ phase: "verify", done, total });
  }
}

async function verifyTransitions(
  from: MoveSide,
  to: MoveSide,
  checksum: Checksum,
): Promise<number> {
  const read = (after: readonly [string | null, string | null]): Promise<TransitionPart[]> =>
    ahead(Promise.all([from.end.readTransitions(after[0]), to.end.readTransitions(after[1])]));
  let reading = read([null, null]);
  for (let done = 0;;) {
    const [source, target] = await reading as [TransitionPart, TransitionPart];
    const lines = [source, target].map(({ transitions }) => transitions.map(lineOf));
    if (source.transitions.length > 0) reading = read([source.cursor, target.cursor]);
    const problem = await checksum.compare(lines[0]!, lines[1]!);
    if (problem !== undefined) throw difference(to, `transition ${done + problem + 1}`);
    if (source.transitions.length === 0) return done;
    done += source.transitions.length;
  }
}

function difference({ place }: MoveSide, what: string): MoveRefusedError {
  return new MoveRefusedError(
    `Cannot open ${
      quotePath(place)
    }: ${what} differs from what was to be moved, and both queues stay closed; holdfast move --cancel opens the old one again`,
  );
}
