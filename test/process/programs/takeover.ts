/**
 * A manager with a handler for the module `work`: `takeover.ts QUEUE`. Reports `did` for each run; ends when its input does.
 */
import { createQueuedTaskManager } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path] = Deno.args;
const instructions = new Instructions();
const manager = await createQueuedTaskManager({ path, worker: { concurrency: 50 } });
manager.registerTask("work", ({ runId }) => {
  report({ kind: "did", runId });
  return `taken over for ${runId}`;
});
report({ kind: "ready" });
await instructions.end;
await manager.close();
