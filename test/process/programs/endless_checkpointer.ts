/**
 * Enqueues a task and makes a checkpoint, for ever: `endless_checkpointer.ts QUEUE [NAME]`. Ends when its input does.
 */
import { openEmbeddedQueue } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path, name = "task"] = Deno.args;
const instructions = new Instructions();
let isOver = false;
instructions.end.then(() => isOver = true);
const queue = await openEmbeddedQueue(path!);
report({ kind: "ready" });
for (let n = 1; !isOver; n++) {
  const { task } = await queue.enqueue({ type: "anything", runId: `${name} ${n}` });
  report({ kind: "acknowledged", id: task.id, runId: task.runId });
  report({ kind: "checkpoint_begun" });
  await queue.checkpoint();
  report({ kind: "checkpoint_done" });
}
await queue.close();
