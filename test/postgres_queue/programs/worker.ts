/**
 * A process that works on a queue until nothing is left: it claims in every order, and now and then fails or gives back a task.
 * Each lease that it could finish is a line of its output: the run id and the token.
 */
import { QueueError } from "../../../src/domain/errors.ts";
import type { Task } from "../../../src/domain/task.ts";
import { CLAIM_ORDERS } from "../../../src/domain/claim_order.ts";
import { openPostgresQueue } from "../../support/postgres_queues.ts";

const [url, schema, name] = Deno.args as [string, string, string];
const encoder = new TextEncoder();
const queue = await openPostgresQueue(url, {
  schema,
  onBackgroundError: ({ message }) => console.error(message),
});

async function end(task: Task): Promise<void> {
  try {
    const chance = Math.random();
    if (chance < 0.05) {
      await queue.fail(task, new Error("again"), { retryPolicy: { initialDelayMs: 5 } });
    } else if (chance < 0.1) await queue.release(task);
    else {
      await queue.complete(task, { by: name, token: task.leaseToken });
      Deno.stdout.writeSync(encoder.encode(`${task.runId} ${task.leaseToken}\n`));
    }
  } catch (error) {
    if (!(error instanceof QueueError) || error.code !== "lease_lost") throw error;
  }
}

for (let turn = 0;; turn++) {
  const strategy = CLAIM_ORDERS[turn % CLAIM_ORDERS.length]!;
  const request = { workerId: name, types: ["a", "b"], limit: 7, leaseDurationMs: 1000, strategy };
  const tasks = await queue.claim(request);
  await Promise.all(tasks.map(end));
  if (tasks.length > 0) continue;
  const { byStatus } = await queue.stats();
  if (byStatus.queued + byStatus.leased === 0) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await queue.close();
