/**
 * Enqueues one awaited task after the other until its input ends, with a checkpoint now and then: `stubborn_writer.ts QUEUE
 * NAME`. When its queue is in doubt it opens it again, as a service does that is started anew.
 */
import { type EmbeddedQueue, openEmbeddedQueue, StorageError } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const CHECKPOINT_EVERY = 40;

const [path, name] = Deno.args;
const instructions = new Instructions();
let isEnding = false;
instructions.end.then(() => isEnding = true);
report({ kind: "ready" });
let written = 0;
while (!isEnding) {
  const queue = await answerOf(() =>
    openEmbeddedQueue({ path: path!, onBackgroundError: () => {} })
  );
  if (queue === undefined) continue;
  while (!isEnding && await write(queue));
  await answerOf(() => queue.close());
}

/** Says whether the queue can be used any more. */
async function write(queue: EmbeddedQueue): Promise<boolean> {
  const runId = `${name} ${++written}`;
  const begunAtMs = Date.now();
  const stored = await answerOf(() => queue.enqueue({ type: "anything", runId }));
  if (stored === undefined) return false;
  report({ kind: "wrote", runId, begunAtMs });
  await new Promise((resume) => setTimeout(resume, 1)); // the others want the lock, too
  if (written % CHECKPOINT_EVERY !== 0) return true;
  return await answerOf(() => queue.checkpoint()) !== undefined;
}

/** What a call answers; `undefined` when the storage refused it. */
async function answerOf<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    report({ kind: "storage_refused", message: error.message });
    await new Promise((resume) => setTimeout(resume, 5));
    return undefined;
  }
}
