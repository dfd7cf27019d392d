/**
 * An application that moved from an in-memory task manager to a durable one: the same program under both.
 *
 *     TASK_BACKEND=queue deno run --allow-read --allow-write --allow-env examples/drop_in/main.ts FOLDER [start]
 *
 * `start` begins a night's work; without it only what an earlier process left unfinished is done. `TASK_BACKEND` is
 * `in-memory` (default) or `queue`, and this file is the only one that knows of it. At the end every known run is
 * printed, one JSON document a line.
 */
import { join } from "node:path";
import { createTaskManager, QueuedTaskManager, type Run } from "../../src/mod.ts";
import { MODULES } from "./modules.ts";
import { giveUpOnMirror, startNight } from "./night_shift.ts";

async function main([folder, command]: readonly string[]): Promise<void> {
  if (folder === undefined) throw new TypeError("Cannot start: the path of a folder is needed");
  const manager = await createTaskManager({
    historyPath: join(folder, "runs.history"),
    // After a crash, another process takes over within this time.
    worker: { leaseDurationMs: 3000 },
  });
  // Functions do not survive a restart; with these, whoever finds an unfinished task can do it.
  if (manager instanceof QueuedTaskManager) registerModules(manager);
  if (command === "start") {
    const pauseMs = Number(Deno.env.get("BACKUP_PAUSE_MS") ?? 50);
    const runs = startNight(manager, { name: "night-1", folder, pauseMs });
    await giveUpOnMirror(manager, runs);
    await Promise.all([manager.flush(), manager.registry.flush()]);
  }
  await manager.waitAll();
  for (const run of manager.registry.getRecentRuns()) console.log(JSON.stringify(historyOf(run)));
  await manager.close();
}

function registerModules(manager: QueuedTaskManager): void {
  for (const [id, { name, parameters, run }] of Object.entries(MODULES)) {
    manager.registerTask(id, (task, context) => run(task.payload, context), name, {
      payload: parameters,
    });
  }
}

/** What people see of a run; times only as far as they are the same each night. */
function historyOf(run: Run): Record<string, unknown> {
  const { runId, moduleId, moduleName, status, result, errorMessage, exitCode } = run;
  return {
    runId,
    moduleId,
    moduleName,
    status,
    result,
    errorMessage,
    exitCode,
    progressPercent: run.progressPercent,
    attempts: run.attempts,
    timesInOrder: run.startedAt !== null && run.completedAt !== null &&
      run.createdAt <= run.startedAt && run.startedAt <= run.completedAt,
    durationSeconds: run.durationSeconds !== null && run.durationSeconds >= 0,
  };
}

if (import.meta.main) await main(Deno.args);
