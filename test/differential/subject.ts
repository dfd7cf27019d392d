/**
 * A manager that runs a program: the work that it is given, the gates that hold it, and all that can be seen of it.
 */
import type { FakeClock } from "../support/fake_clock.ts";
import { ExitCodeError, messageOf, PermanentError, QueueError } from "../../src/domain/errors.ts";
import { createRun, type GivenRun, type NewRun } from "../../src/domain/run.ts";
import type { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import type { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import type { TaskWork } from "../../src/manager/task_manager.ts";
import type { TaskContext } from "../../src/worker/handler_registry.ts";
import type { Operation, StartedRun, WorkKind, Wrong } from "./program.ts";

interface Gate {
  readonly context: TaskContext;
  readonly opened: PromiseWithResolvers<unknown>;
}

/** Runs operations one by one. */
export class Subject {
  readonly manager: BackgroundTaskManager | QueuedTaskManager;
  readonly #clock: FakeClock;
  readonly #gates = new Map<string, Gate>();
  readonly #objects = new Map<string, GivenRun>();
  readonly #calls: Record<string, number> = {};
  #started = 0;
  #added = 0;

  constructor(manager: BackgroundTaskManager | QueuedTaskManager, clock: FakeClock) {
    this.manager = manager;
    this.#clock = clock;
  }

  /** Does one operation; what it answered, or how it was refused. */
  async perform(operation: Operation): Promise<unknown> {
    switch (operation.do) {
      case "start":
        return await this.#start(operation.runs, operation.cancelAtOnce);
      case "start wrong":
        return told(() => this.#startWrong(operation.wrong));
      case "start again":
        return told(() => this.#startAgain(operation.pick, operation.isSameObject));
      case "cancel":
        return await this.#cancel(operation.pick, operation.times);
      case "cancel unknown":
        return await this.manager.cancelTask("unknown");
      case "open":
        return this.#open(operation.pick, operation.fails);
      case "report":
        return this.#gateAt(operation.pick)?.context.progress(operation.percent);
      case "add run":
        return told(() => this.manager.registry.addRun(newRun(`added ${++this.#added}`)));
      case "clean up":
        return this.manager.registry.cleanupOldRuns(0);
    }
  }

  /** All that can be seen, but for instants, of which only whether they are there. */
  seen(): unknown {
    const { manager, manager: { registry } } = this;
    const runs = registry.getRecentRuns(1_000_000).sort((a, b) => a.runId < b.runId ? -1 : 1);
    return {
      calls: { ...this.#calls },
      count: manager.getActiveTaskCount(),
      active: manager.getActiveTaskIds().sort(),
      actives: registry.getActiveRuns().length,
      ofModule: registry.getRunsByModule("a").map(({ runId }) => runId).sort(),
      runs: runs.map((run) => ({
        ...run,
        createdAt: 0,
        startedAt: run.startedAt !== null,
        completedAt: run.completedAt !== null,
        durationSeconds: run.durationSeconds !== null,
        isActive: manager.isTaskActive(run.runId),
      })),
    };
  }

  /** Opens every gate and ends. */
  async end(): Promise<void> {
    for (const { opened } of this.#gates.values()) opened.resolve("at the end");
    await this.manager.waitAll();
    await this.manager.flush();
  }

  /** What a closed manager answers. */
  async closed(): Promise<unknown> {
    await this.manager.close({ graceMs: 0 });
    const start = told(() => this.manager.startTask(newRun("too late"), () => Promise.resolve()));
    const cancelled = await this.manager.cancelTask("unknown");
    await this.manager.flush();
    await this.manager.waitAll();
    return [start, cancelled, this.manager.getActiveTaskIds()];
  }

  /** Starts runs in one breath. */
  async #start(runs: readonly StartedRun[], cancelAtOnce: boolean): Promise<unknown> {
    const runIds = runs.map((run) => this.#startOne(run));
    if (!cancelAtOnce) return runIds;
    return await this.manager.cancelTask(runIds.at(-1)!);
  }

  #startOne({ kind, moduleId, isPlain }: StartedRun): string {
    const runId = `run ${String(++this.#started).padStart(5, "0")}`;
    const run = isPlain ? plainRun(runId, moduleId) : newRun(runId, { moduleId });
    this.#objects.set(runId, run);
    return this.manager.startTask(run, this.#workOf(kind, runId));
  }

  #startWrong(wrong: Wrong): string {
    const work = wrong === "no work" ? "work" as unknown as TaskWork : () => Promise.resolve();
    return this.manager.startTask(wrongRun(wrong), work);
  }

  #startAgain(pick: number, isSameObject: boolean): string {
    const runIds = [...this.#objects.keys()].filter((id) => this.manager.registry.getRun(id));
    const runId = runIds[pick % runIds.length];
    if (runId === undefined) return "none";
    const run = isSameObject ? this.#objects.get(runId)! : newRun(runId);
    return this.manager.startTask(run, () => Promise.resolve());
  }

  async #cancel(pick: number, times: number): Promise<unknown> {
    const runIds = [...this.#objects.keys()];
    const runId = runIds[pick % runIds.length] ?? "none";
    this.#gates.delete(runId);
    const answers = Array.from({ length: times }, () => this.manager.cancelTask(runId));
    return (await Promise.all(answers)).sort();
  }

  #open(pick: number, fails: boolean): unknown {
    const gate = this.#gateAt(pick);
    if (gate === undefined) return "none";
    this.#gates.delete(gate.context.runId);
    if (fails) gate.opened.reject(new Error(`gate of ${gate.context.runId}`));
    else gate.opened.resolve({ opened: gate.context.runId });
    return gate.context.runId;
  }

  /** By their names, since managers may begin work in another order. */
  #gateAt(pick: number): Gate | undefined {
    const runIds = [...this.#gates.keys()].sort();
    return this.#gates.get(runIds[pick % runIds.length] ?? "");
  }

  #workOf(kind: WorkKind, runId: string): TaskWork {
    if (kind === "promise") return Promise.resolve(`promised ${runId}`);
    if (kind === "rejected promise") return Promise.reject(new Error(`refused ${runId}`));
    return (context) => {
      this.#calls[runId] = (this.#calls[runId] ?? 0) + 1;
      return this.#work(kind, context);
    };
  }

  async #work(kind: WorkKind, context: TaskContext): Promise<unknown> {
    const { runId } = context;
    switch (kind) {
      case "gated":
        return await this.#gated(context);
      case "late":
      case "rejects late":
        await this.#pause(1);
        if (kind === "late") return [runId, null, { deep: [1.5, true] }];
        throw new Error(`late ${runId}`);
      case "progress":
      case "progress then throws":
        for (const percent of [10, 40.5, 90]) context.progress(percent);
        if (kind === "progress") return 0;
        throw new Error("came as far as 90");
      case "cancels itself":
        return await this.manager.cancelTask(runId);
      case "starts another":
        this.manager.startTask(newRun(`${runId} child`), () => Promise.resolve("child"));
        return "parent";
      case "logs":
        return context.log("info", "said", { by: runId });
      case "bad progress":
        return context.progress("50" as unknown as number);
      default:
        return outcomeOf(kind);
    }
  }

  async #gated(context: TaskContext): Promise<unknown> {
    const opened = Promise.withResolvers<unknown>();
    opened.promise.catch(() => {});
    context.signal.addEventListener("abort", () => opened.reject(context.signal.reason));
    this.#gates.set(context.runId, { context, opened });
    return await opened.promise;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(resolve, ms));
  }
}

/** What work that ends at once returns or throws. */
function outcomeOf(kind: WorkKind): unknown {
  switch (kind) {
    case "value":
      return { at: new Date(0), list: [1, undefined, "ü"], nothing: undefined };
    case "nothing":
      return undefined;
    case "exit code in result":
      return { exit_code: 3 };
    case "no json":
      return { map: new Map() };
    case "too large":
      return "x".repeat(2 ** 20);
    case "throws text":
      throw "just a string";
    case "throws null":
      throw null;
    case "throws blank":
      throw new Error(" \n");
    case "exit code error":
      throw new ExitCodeError(7, "no paper");
    case "permanent":
      throw new PermanentError("never");
    default:
      throw new Error(`${kind}: \0 \ud800 ${"long ".repeat(1000)}`);
  }
}

function newRun(runId: string, fields: Partial<NewRun> = {}): GivenRun {
  return createRun({ runId, moduleId: "a", parameters: { runId }, ...fields });
}

function plainRun(runId: string, moduleId: string): GivenRun {
  const parameters = { runId };
  const createdAt = new Date();
  return { runId, moduleId, moduleName: "Plain", status: "queued", createdAt, parameters };
}

function wrongRun(wrong: Wrong): GivenRun {
  const fields: Readonly<Record<string, unknown>> = {
    "blank id": { runId: " " },
    "blanks around": { runId: " x" },
    "long id": { runId: "x".repeat(201) },
    "no module": { moduleId: "" },
    "priority": { priority: 0 },
    "attempts": { maxAttempts: 101 },
    "parameters": { parameters: { n: NaN } },
    "created at": { createdAt: "today" },
    "webhook": { moduleId: "holdfast.webhook" },
    "module name": { moduleName: 7 },
  };
  if (wrong === "no run") return null as unknown as GivenRun;
  const run = newRun("wrong", fields[wrong] as Partial<NewRun>);
  return wrong === "frozen" ? Object.freeze(run) : run;
}

/** What an action gave, or how it was refused: class, code and message. */
function told(action: () => unknown): unknown {
  try {
    return { gave: action() ?? null };
  } catch (error) {
    const code = error instanceof QueueError ? error.code : null;
    return { refused: (error as Error).constructor.name, code, message: messageOf(error) };
  }
}
