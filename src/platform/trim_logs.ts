/**
 * The room of logs: where the files of a queue's logs take more than they may together, those of finished tasks go, of the first
 * finished first.
 *
 * Several processes may do so at once: each looks at what is there, and a file that another has removed is gone for it as well.
 */
import { join } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import { FileLogStore, logsFolder } from "./file_log_store.ts";

/** What the logs may take, and which tasks have ended. */
export interface TrimRequest {
  readonly maxBytes: number;
  /** When these tasks ended: `-Infinity` for those that are gone, nothing for those that have not ended. */
  readonly endedAt: (taskIds: readonly number[]) => Promise<ReadonlyMap<number, number>>;
}

/** Of so many tasks is asked at once, so that other work goes on in between. */
const ASKED_MAX = 1000;

/** Removes the logs of finished tasks until the rest has room, or all are gone. @throws StorageError */
export async function trimLogs(path: string, { maxBytes, endedAt }: TrimRequest): Promise<void> {
  const sizes = await sizesIn(logsFolder(path));
  let excess = [...sizes.values()].reduce((sum, size) => sum + size, 0) - maxBytes;
  if (excess <= 0) return;
  const ended = await allEnded([...sizes.keys()], endedAt);
  const order = [...ended].sort(([a, aMs], [b, bMs]) => aMs === bMs ? a - b : aMs - bMs);
  const gone: number[] = [];
  for (const [id] of order) {
    if (excess <= 0) break;
    gone.push(id);
    excess -= sizes.get(id)!;
  }
  new FileLogStore(path).remove(gone);
}

async function allEnded(
  ids: readonly number[],
  endedAt: TrimRequest["endedAt"],
): Promise<[number, number][]> {
  const ended: [number, number][] = [];
  for (let begin = 0; begin < ids.length; begin += ASKED_MAX) {
    ended.push(...await endedAt(ids.slice(begin, begin + ASKED_MAX)));
  }
  return ended;
}

/** The size of each task's log, in bytes. */
async function sizesIn(folder: string): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const [, id] = /^(\d{1,16})\.ndjson$/.exec(name) ?? [];
      const size = id === undefined ? undefined : await sizeOf(join(folder, name));
      if (size !== undefined) sizes.set(Number(id), size);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return sizes;
    throw new StorageError("read", folder, messageOf(error), { cause: error });
  }
  return sizes;
}

/** `undefined` when it has just been removed. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
