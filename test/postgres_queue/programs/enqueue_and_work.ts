/**
 * A process that enqueues and works until it is told to end by the end of its input. What it was told is a line of its output:
 * `e RUN` for a task that was stored, `c RUN TOKEN` for one that it has completed.
 */
import { QueueError } from "../../../src/domain/errors.ts";
import type { Task } from "../../../src/domain/task.ts";
import { openQueue } from "../../../src/mod.ts";

const [address, name] = Deno.args as [string, string];
const encoder = new TextEncoder();
const queue = await openQueue({
  path: address,
  onBackgroundError: ({ message }) => console.error(message),
});
let isOver = false;
new Response(Deno.stdin.readable).text().then(() => isOver = true);

function tell(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

async function complete(task: Task): Promise<void> {
  try {
    await queue.complete(task, task.leaseToken);
    tell(`c ${task.runId} ${task.leaseToken}`);
  } catch (error) {
    if (!(error instanceof QueueError) || error.code !== "lease_lost") throw error;
  }
}

async function enqueueAlways(): Promise<void> {
  while (!isOver) tell(`e ${(await queue.enqueue({ type: "t" })).task.runId}`);
}

async function workAlways(): Promise<void> {
  const request = { workerId: name, types: ["t"], limit: 5, leaseDurationMs: 2000 };
  while (!isOver) {
    const tasks = await queue.claim(request);
    await Promise.all(tasks.map(complete));
    if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

await Promise.all([enqueueAlways(), enqueueAlways(), workAlways()]);
await queue.close();
