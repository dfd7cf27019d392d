/**
 * One of several task managers on one queue: what it can be told to do, and all that can be seen of it.
 *
 * All that goes in and out is JSON, so a neighbour may be in another process (`remote_neighbour.ts`).
 */
import { createRun, type Run } from "../../src/domain/run.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import type { TaskWork } from "../../src/manager/task_manager.ts";
import { openQueue, type Task } from "../../src/mod.ts";

/** The module that only the second manager has a handler for. */
export const HANDLED = "handled";

/** Longer than anything takes on a busy machine. */
export const PATIENCE_MS = 120_000;

/** The two by what they were given and what they can do: only the second has a handler. */
export type NeighbourName = "first" | "second";

/** What is given to a manager with a run: work of its own, or nothing, so that a handler has to do it. */
export type GivenWork = "own" | "gated" | "promise" | "throws" | typeof HANDLED;

/** All that can be seen of a neighbour. Run ids are sorted. */
export interface View {
  readonly active: readonly string[];
  readonly count: number;
  /** The active runs of the registry. */
  readonly listed: readonly string[];
  /** What is said of each run that it knows, as `runSaid` writes it. */
  readonly runs: Readonly<Record<string, string>>;
  /** The run of each function that was called, in their order. */
  readonly begun: readonly string[];
  /** The tasks as its own queue shows them, as `tasksSaid` writes them. */
  readonly tasks: string;
}

/** A manager that does one thing after the other, wherever it is. */
export interface Neighbour {
  /** Starts these runs in one breath, and cancels the first of them in the same one; what that answered. */
  start(runIds: readonly string[], work: GivenWork, cancelsFirst: boolean): Promise<boolean | null>;
  /** Schedules a task that is to be handled, now or in an hour; its id. */
  schedule(isLater: boolean): Promise<number>;
  /** Lets gated work end. */
  open(runId: string): Promise<void>;
  cancel(runId: string): Promise<boolean>;
  /** Closes manager and queue, and opens both again with the same registry, or with a new one as after a restart. */
  reopen(isForgetful: boolean): Promise<void>;
  look(): Promise<View>;
  close(): Promise<void>;
}

/** A command as it goes to another process. */
export type Command = {
  [Name in keyof Neighbour]: readonly [Name, ...Parameters<Neighbour[Name]>];
}[keyof Neighbour];

/** A neighbour in this process. */
export class LocalNeighbour implements Neighbour {
  readonly #name: NeighbourName;
  readonly #path: string;
  readonly #gates = new Map<string, PromiseWithResolvers<string>>();
  readonly #begun: string[] = [];
  #manager: QueuedTaskManager;

  private constructor(name: NeighbourName, path: string, manager: QueuedTaskManager) {
    this.#name = name;
    this.#path = path;
    this.#manager = manager;
  }

  static async open(name: NeighbourName, path: string): Promise<LocalNeighbour> {
    return new LocalNeighbour(name, path, await openManager(name, path, new RunRegistry()));
  }

  async start(
    runIds: readonly string[],
    work: GivenWork,
    cancelsFirst: boolean,
  ): Promise<boolean | null> {
    // The other one has a handler for what the first starts.
    const moduleId = this.#name === "first" ? HANDLED : "elsewhere";
    for (const runId of runIds) {
      this.#manager.startTask(createRun({ runId, moduleId }), this.#workOf(work, runId));
    }
    const answer = cancelsFirst ? await this.#manager.cancelTask(runIds[0]!) : null;
    await this.#manager.flush();
    return answer;
  }

  async schedule(isLater: boolean): Promise<number> {
    const runAfter = isLater ? new Date(Date.now() + 3_600_000) : undefined;
    return await this.#manager.scheduleTask(HANDLED, {}, { runAfter });
  }

  open(runId: string): Promise<void> {
    this.#gates.get(runId)?.resolve("opened");
    return Promise.resolve();
  }

  cancel(runId: string): Promise<boolean> {
    return this.#manager.cancelTask(runId);
  }

  async reopen(isForgetful: boolean): Promise<void> {
    await this.#manager.close({ graceMs: 0 });
    const registry = isForgetful ? new RunRegistry() : this.#manager.registry;
    this.#manager = await openManager(this.#name, this.#path, registry);
  }

  async look(): Promise<View> {
    const manager = this.#manager;
    const tasks = tasksSaid(await manager.queue.list({ limit: 1000 }));
    const runs = manager.registry.getRecentRuns(10_000);
    return {
      active: manager.getActiveTaskIds().sort(),
      count: manager.getActiveTaskCount(),
      listed: manager.registry.getActiveRuns().map(({ runId }) => runId).sort(),
      runs: Object.fromEntries(
        runs.map((run) => [run.runId, runSaid(run, manager.isTaskActive(run.runId))]),
      ),
      begun: this.#begun,
      tasks,
    };
  }

  close(): Promise<void> {
    return this.#manager.close({ graceMs: 0 });
  }

  #workOf(work: GivenWork, runId: string): TaskWork | undefined {
    if (work === HANDLED) return undefined;
    if (work === "promise") return Promise.resolve(`by ${this.#name}`);
    return () => {
      this.#begun.push(runId);
      if (work === "throws") throw new Error(`by ${this.#name}`);
      if (work === "own") return Promise.resolve(`by ${this.#name}`);
      const gate = Promise.withResolvers<string>();
      this.#gates.set(runId, gate);
      return gate.promise;
    };
  }
}

async function openManager(
  name: NeighbourName,
  path: string,
  registry: RunRegistry,
): Promise<QueuedTaskManager> {
  const worker = { leaseDurationMs: PATIENCE_MS };
  const manager = await QueuedTaskManager.open(await openQueue(path), registry, { worker });
  if (name === "second") manager.registerTask(HANDLED, ({ runId }) => `handled ${runId}`);
  return manager;
}

/** Where the tasks of a queue are, for comparing: cheap, since it is asked after each operation. */
export function tasksSaid(tasks: readonly Task[]): string {
  const said = ({ id, status, attempts, leaseToken, lockedBy }: Task) =>
    `${id} ${status} ${attempts} ${leaseToken} ${lockedBy}`;
  return tasks.map(said).join("\n");
}

/** All that a run says about the execution of its task, for comparing. */
export function runSaid(run: Run, isActive: boolean): string {
  const { status, result, errorMessage, attempts, exitCode, progressPercent } = run;
  const instants = [run.startedAt?.getTime(), run.completedAt?.getTime()];
  const execution = [status, result, errorMessage, attempts, exitCode, progressPercent];
  return JSON.stringify([...execution, ...instants, isActive]);
}
