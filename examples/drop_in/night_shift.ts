/**
 * The application: what has to be done each night. It knows the `TaskManager` interface and nothing of what is behind it.
 */
import { join } from "node:path";
import { createRun, type Run, type TaskManager } from "../../src/mod.ts";
import { MODULES } from "./modules.ts";

/** What a night's work is about. */
export interface Night {
  /** Names its runs; unique. */
  readonly name: string;
  /** The folder of texts to be looked after. */
  readonly folder: string;
  /** How long the backup rests after each file, in milliseconds. */
  readonly pauseMs: number;
}

/** Starts a night's runs. They go on in the background; each tells by itself how it goes. */
export function startNight(manager: TaskManager, { name, folder, pauseMs }: Night): Run[] {
  const start = (moduleId: string, parameters: unknown): Run => {
    const module = MODULES[moduleId]!;
    const runId = `${name}/${moduleId}`;
    const run = createRun({ runId, moduleId, moduleName: module.name, parameters });
    manager.startTask(run, (context) => module.run(parameters, context));
    return run;
  };
  return [
    start("cleanup", { folder }),
    start("word_count", { folder }),
    start("import_prices", { csv: "apples,1.20\npears,two\n" }),
    start("backup", { from: folder, to: join(folder, "backup"), pauseMs }),
    start("mirror", { url: "https://mirror.example/" }),
  ];
}

/** Cancels the mirror as soon as it has begun. */
export async function giveUpOnMirror(manager: TaskManager, runs: readonly Run[]): Promise<boolean> {
  const run = runs.find(({ moduleId }) => moduleId === "mirror");
  if (run === undefined) return false;
  while (run.status === "queued") await new Promise((resume) => setTimeout(resume, 5));
  return await manager.cancelTask(run.runId);
}
