/**
 * Starts runs of the module `work` with work of its own and closes its manager:
 * `starter.ts QUEUE COUNT WORK LEASE_MS`, where WORK is `function`, `promise`, or `endless` for functions that never end.
 * Begins at the word `go`; reports `did` for each function that is called.
 */
import { createQueuedTaskManager, createRun, type TaskWork } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

/** Runs that are started in one turn of the event loop, so that others have their chance in between. */
const SLICE = 20;

const [path, count, kind, leaseMs] = Deno.args;
const instructions = new Instructions();
const worker = { leaseDurationMs: Number(leaseMs) };
const manager = await createQueuedTaskManager({ path, worker });
report({ kind: "ready" });
await instructions.heard("go");
for (let n = 1; n <= Number(count); n++) {
  const runId = `run ${n}`;
  manager.startTask(createRun({ runId, moduleId: "work" }), workOf(runId));
  if (n % SLICE === 0) await pause(1);
}
if (kind === "endless") await new Promise(() => {});
await manager.close();

function workOf(runId: string): TaskWork {
  if (kind === "promise") return pause(5).then(() => `promised for ${runId}`);
  return async () => {
    report({ kind: "did", runId });
    if (kind === "endless") await new Promise(() => {});
    await pause(5);
    return `done for ${runId}`;
  };
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
