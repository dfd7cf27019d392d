/**
 * Moving a queue by its path or address to another one.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { checkPath } from "../domain/check_path.ts";
import { messageOf, quotePath } from "../domain/errors.ts";
import { isDatabaseAddress, shownPath } from "../domain/queue_address.ts";
import { queueKey } from "../platform/queue_path.ts";
import { realPath } from "../platform/real_path.ts";
import { moveEndOf } from "../queue/move_end.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { cancelMove } from "../transfer/move_cancel.ts";
import type {
  MoveCancelReport,
  MoveOptions,
  MoveReport,
  MoveSide,
} from "../transfer/move_report.ts";
import { moveTasks } from "../transfer/move_tasks.ts";
import { openQueue } from "./open_queue.ts";

const MOVE_OPTIONS = optionNames<MoveOptions>({ waitMs: true, onProgress: true, clock: true });

/**
 * Moves everything that the queue at `from` holds into a new one at `to`, each a path or an address: tasks with their
 * transitions, schedules, dependencies, webhooks and keys; not the logs of handlers. The old queue is closed before, and for
 * good; the new one opens once both have been compared. Killed at any point, the same call goes on; when the move is done, it
 * says so.
 *
 * @throws MoveRefusedError when it cannot be made, or tasks are still leased after `waitMs`: the message says how to go on.
 * @throws StorageError when one of them cannot be reached or used. @throws TypeError, RangeError for a wrong address or option.
 */
export async function moveQueue(
  from: string,
  to: string,
  options: MoveOptions = {},
): Promise<MoveReport> {
  checkOptions(options, MOVE_OPTIONS, "moveQueue");
  await using source = await openSide(from, { mustExist: true });
  checkPlaces(from, to);
  await using target = await openSide(to);
  const contents = await moveTasks(source.side, target.side, options);
  return { from: source.side.place, to: target.side.place, contents };
}

/**
 * Calls off a move that is not done: the old queue opens again, and the new one stays closed for good.
 *
 * @throws MoveRefusedError when there is none, or it is done. @throws StorageError when the old queue cannot be reached or used.
 */
export async function cancelQueueMove(from: string, to: string): Promise<MoveCancelReport> {
  await using source = await openSide(from, { mustExist: true });
  checkPlaces(from, to);
  const target = await openSide(to, { mustExist: true }).catch((thrown: unknown) => ({
    place: placeOf(to),
    reason: messageOf(thrown),
  }));
  try {
    const isClosed = await cancelMove(source.side, "side" in target ? target.side : target);
    return { from: source.side.place, to: placeOf(to), isClosed };
  } finally {
    if ("side" in target) await target.side.queue.close();
  }
}

/** One file is not opened twice. @throws TypeError */
function checkPlaces(from: string, to: string): void {
  if (isDatabaseAddress(from) || isDatabaseAddress(to)) return;
  if (queueKey(from) !== queueKey(checkPath(to, "path of a queue"))) return;
  throw new TypeError(`Cannot move ${quotePath(placeOf(from))} to itself`);
}

/** The path as every folder knows it, or the address without its password. */
function placeOf(where: string): string {
  return isDatabaseAddress(where) ? shownPath(where) : realPath(where);
}

/** A queue that is closed when its scope ends. */
class OpenSide implements AsyncDisposable {
  readonly side: MoveSide;

  constructor(side: MoveSide) {
    this.side = side;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.side.queue.close();
  }
}

async function openSide(
  path: string,
  { mustExist = false }: { readonly mustExist?: boolean } = {},
): Promise<OpenSide> {
  const queue: TaskQueue = await openQueue({ path, mustExist });
  try {
    const end = moveEndOf(queue)!;
    return new OpenSide({ queue, end, place: placeOf(path), id: await end.queueId() });
  } catch (error) {
    await queue.close();
    throw error;
  }
}
