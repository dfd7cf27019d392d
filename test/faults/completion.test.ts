/**
 * A process that dies at any call of the storage while it completes a task: the completion and the three tasks that follow are both
 * there afterwards, or neither is.
 */
import { assert, assertEquals } from "@std/assert";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import { EVERY_POINT, type FaultPoint, FaultyStorage } from "../support/faulty_storage.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { copyQueue } from "./files.ts";
import { openStill } from "./scenarios.ts";
import { inTime } from "./told.ts";

/** A call that fails, and with it every later one; of a write, the first bytes may have got there. */
interface Death {
  readonly point: FaultPoint;
  readonly part?: number;
}

const DEATHS: readonly Death[] = [
  ...EVERY_POINT.map((point) => ({ point })),
  ...[1, 45, 200, 400].map((part) => ({ point: "write" as const, part })),
];

/** No completion makes more calls of one kind. */
const CALLS_MAX = 50;

Deno.test("a completion and the tasks that follow survive a death at any call together, or not at all", async () => {
  await withTemporaryPath(async (path) => {
    const queue = await openStill(new DenoStorage(path));
    await queue.enqueue({ type: "t", runId: "first" });
    await queue.close();
    const ends = (await Promise.all(DEATHS.map((death) => endsOf(path, death)))).flat();
    console.log(`deaths in a completion: ${ends.length}`);
    assert(ends.includes("leased, 0 follow"), "no death came before the commit");
    assert(ends.includes("completed, 3 follow"), "no death came after the commit");
  });
});

/** What is found after each death, until the completion meets none. */
async function endsOf(from: string, death: Death): Promise<string[]> {
  const ends: string[] = [];
  for (let n = 1; n <= CALLS_MAX; n++) {
    const end = await endAfter(from, death, n);
    if (end === undefined) return ends;
    ends.push(end);
  }
  throw new Error(`more than ${CALLS_MAX} calls of ${death.point}`);
}

/** What is found after a death at the n-th call; `undefined` when there are fewer. */
async function endAfter(
  from: string,
  { point, part }: Death,
  n: number,
): Promise<string | undefined> {
  let [calls, isTold] = [0, false];
  let end: string | undefined;
  await withTemporaryPath(async (path) => {
    await copyQueue(from, path);
    const storage = new FaultyStorage(new DenoStorage(path), EVERY_POINT);
    const dying = await openStill(storage);
    const [task] = await dying.claim({ workerId: "w", types: ["t"] });
    storage.fault = (at) => {
      if (at === point) calls++;
      return calls >= n ? { message: "the process is dead", part } : undefined;
    };
    const enqueue = ["a", "b", "c"].map((runId) => ({ type: "next", runId }));
    await dying.complete(task!, "done", { enqueue }).then(() => isTold = true, () => {});
    await dying.close().catch(() => {});
    if (calls >= n) end = await found(path, isTold);
  });
  return end;
}

async function found(path: string, isTold: boolean): Promise<string> {
  const queue = await inTime(openStill(new DenoStorage(path)));
  const { status } = (await queue.getByRunId("first"))!;
  const follow = await queue.count({ type: "next" });
  await queue.close();
  assertEquals(follow, status === "completed" ? 3 : 0, `${status}, ${follow} follow`);
  if (isTold) assertEquals(status, "completed", "what was acknowledged is lost");
  return `${status}, ${follow} follow`;
}
