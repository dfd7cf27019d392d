/**
 * Claims a task under a short lease and completes it at the word `complete`, whoever holds it by then:
 * `lease_holder.ts QUEUE LEASE_MS`. Ends when its input does.
 */
import { openQueue, QueueError } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path, leaseMs] = Deno.args;
const instructions = new Instructions();
const queue = await openQueue(path!);
const claim = { workerId: "holder", types: ["t"], leaseDurationMs: Number(leaseMs) };
const [task] = await queue.claim(claim);
const { id: taskId, leaseToken } = task!;
const [fromMs, untilMs] = [task!.reservedAt!.getTime(), task!.leaseUntil!.getTime()];
report({ kind: "claimed", taskId, leaseToken, fromMs, untilMs });
await instructions.heard("complete");
report({ kind: "refused", taskId, code: await refusal() });
await instructions.end;
await queue.close();

async function refusal(): Promise<string | null> {
  try {
    await queue.complete(task!, "from the holder");
    return null;
  } catch (error) {
    if (error instanceof QueueError) return error.code;
    throw error;
  }
}
