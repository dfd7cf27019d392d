/**
 * Enqueues tasks under the idempotency keys `key 1` to `key COUNT`, eight at a time: `key_enqueuer.ts QUEUE COUNT`.
 * Begins at the word `go`, reports once, and ends when its input does.
 */
import { openQueue } from "../../../src/mod.ts";
import { type Enqueued, Instructions, report } from "./program.ts";

const LANES = 8;

const [path, count] = Deno.args;
const instructions = new Instructions();
const queue = await openQueue(path!);
report({ kind: "ready" });
await instructions.heard("go");
const tasks: Enqueued["tasks"][number][] = [];
await Promise.all(Array.from({ length: LANES }, (_, lane) => enqueueLane(lane)));
report({ kind: "enqueued", tasks });
await instructions.end;
await queue.close();

async function enqueueLane(lane: number): Promise<void> {
  for (let n = 1 + lane; n <= Number(count); n += LANES) {
    const key = `key ${n}`;
    const { task, created } = await queue.enqueue({
      type: "anything",
      payload: { n },
      idempotencyKey: key,
    });
    tasks.push({ key, id: task.id, created });
  }
}
