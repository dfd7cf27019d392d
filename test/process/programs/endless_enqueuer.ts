/**
 * Enqueues for ever, one awaited task after the other: `endless_enqueuer.ts QUEUE ROUND CHECKPOINT_EVERY`. After every so
 * many tasks a checkpoint begins beside it. Begins at the word `go`, to be killed.
 */
import { type EmbeddedQueue, openEmbeddedQueue } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path, round, checkpointEvery] = Deno.args;
const instructions = new Instructions();
instructions.exitAtEnd();
report({ kind: "ready" });
await instructions.heard("go");
const queue = await openEmbeddedQueue(path!);
for (let n = 1;; n++) {
  const runId = `round ${round} task ${n}`;
  const { task } = await queue.enqueue({ type: "anything", payload: { n }, runId });
  report({ kind: "acknowledged", id: task.id, runId: task.runId });
  if (n % Number(checkpointEvery) === 0) checkpointBeside(queue);
}

/** A failed checkpoint is an unhandled rejection, which ends the program with its message. */
function checkpointBeside(queue: EmbeddedQueue): void {
  report({ kind: "checkpoint_begun" });
  queue.checkpoint().then(() => report({ kind: "checkpoint_done" }));
}
