/**
 * A simulation: runs a script, then lets every fault stop, and checks that what was promised holds.
 */
import { WORKER_LIMITS } from "../../src/domain/worker_limits.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { Chance } from "./chance.ts";
import type { Call } from "./call.ts";
import { Checker } from "./checker.ts";
import { ask, type ClientKnowledge, relate } from "./client.ts";
import { SimulatedDisk } from "./disk.ts";
import { type Counts, EventLog } from "./event_log.ts";
import { isFinalStatus } from "./facts.ts";
import type { Edit } from "./file_content.ts";
import { randomDeath, randomDiskFault, randomFault } from "./faults.ts";
import { govern, resumeAll } from "./govern.ts";
import { miscounts } from "../../src/ledger_queue/insight/integrity.ts";
import { chainAt, checkReplay, dumpRows, type Sighting } from "./journal_replay.ts";
import { LockTable } from "./locks.ts";
import { allMicrotasks, Scheduler } from "./scheduler.ts";
import type { ProcessId } from "./scheduler.ts";
import type { Promised } from "./recorded_queue.ts";
import type { Script, Step } from "./script.ts";
import { SimulatedProcess, type World } from "./simulated_process.ts";
import { readSurvivors } from "./survivors.ts";
import { TASK_TYPES, TaskSource } from "./task_source.ts";

/** What came of a simulation. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly counts: Counts;
  /** The same whenever the same script runs. */
  readonly hash: number;
}

/** How likely the power fails in which instant. */
const CUT_MOMENTS: Readonly<Record<CutMoment | "storage call", number>> = {
  "an acknowledgement": 4,
  "a flush": 3,
  "a checkpoint": 1,
  "a close": 2,
  "a refusal": 3,
  "storage call": 5,
  "a second write": 6,
  "a truncation": 2,
};

/** After so long a power cut undoes nothing of what an open process has acknowledged. */
const RELAXED_SYNC_MS = 50;

/** How often those that wait may go on after all faults have stopped; more is a hang. */
const CALM_TURNS_MAX = 20_000;

/** How many of those that wait go on until it is looked again whether every task has ended. */
const DRAIN_TURNS = 100;

/** How long and how often it is looked before it is said that a task never ends: longer than clocks differ. */
const DRAIN_MS_MIN = 30 * 60_000;
const DRAIN_LOOKS_MIN = 500;

/** An instant for the power to fail in; of a refusal: for good; of a second write: that is not durable. */
type CutMoment =
  | "an acknowledgement"
  | "a flush"
  | "a checkpoint"
  | "a close"
  | "a refusal"
  | "a truncation"
  | "a second write";

/** Runs a script. `onLine` is told every event, for reading along. */
export async function simulate(script: Script, onLine?: (line: string) => void): Promise<Outcome> {
  const simulation = new Simulation(script, new EventLog(onLine));
  return await simulation.run();
}

class Simulation {
  readonly #script: Script;
  readonly #log: EventLog;
  readonly #scheduler = new Scheduler();
  readonly #disk = new SimulatedDisk();
  readonly #locks: LockTable;
  readonly #checker: Checker;
  readonly #chance: Chance;
  readonly #source: TaskSource;
  readonly #sightings: Sighting[] = [];
  readonly #exports: Pick<Sighting, "sequence" | "chain">[] = [];
  readonly #everyProcess: SimulatedProcess[] = [];
  #world!: World;
  /** In which instants the power will fail. */
  readonly #cuts = new Map<CutMoment, Chance>();
  /** Whether the power was cut, and nobody has looked what is left. */
  #isLeftUnseen = false;

  constructor(script: Script, log: EventLog) {
    this.#script = script;
    this.#log = log;
    this.#chance = new Chance(script.seed + 1);
    this.#source = new TaskSource(script.setup);
    this.#locks = new LockTable(this.#scheduler, {
      chance: new Chance(script.seed + 2),
      areIgnored: script.setup.locksAreIgnored ?? false,
    });
    this.#checker = new Checker(log, {
      areClocksEqual: script.setup.skewMaxMs === 0,
      isRelaxed: this.#isRelaxed,
      nowMs: () => this.#scheduler.nowMs,
    });
  }

  async run(): Promise<Outcome> {
    const onRejection = (event: PromiseRejectionEvent): void => {
      event.preventDefault();
      this.#log.violate(`a promise was rejected and nobody noticed: ${event.reason?.stack}`);
    };
    globalThis.addEventListener("unhandledrejection", onRejection);
    this.#world = {
      scheduler: this.#scheduler,
      disk: this.#disk,
      locks: this.#locks,
      checker: this.#checker,
      log: this.#log,
      engine: await loadSqlJsEngine(),
      onHalfDone: (owner) => this.#onHalfDone(owner),
      onEdit: (kind, pendingCount) => this.#onEdit(kind, pendingCount),
      onAnswer: (call, promises) => this.#onAnswer(call, promises),
      onRefusalForGood: () => this.#cutPowerAt("a refusal"),
    };
    try {
      await this.#runSteps();
      if (this.#isSound) await this.#calmDown();
      if (this.#isSound) await this.#finish();
    } finally {
      for (const process of this.#everyProcess) process.kill();
      for (const process of this.#everyProcess) process.dispose();
      globalThis.removeEventListener("unhandledrejection", onRejection);
    }
    const { violations, counts, hash } = this.#log;
    return { violations, counts, hash };
  }

  get #isRelaxed(): boolean {
    return this.#script.setup.durability === "relaxed";
  }

  get #isSound(): boolean {
    return this.#log.violations.length === 0;
  }

  get #live(): SimulatedProcess[] {
    return this.#everyProcess.filter(({ state }) => state !== "dead" && state !== "closed");
  }

  get #open(): SimulatedProcess[] {
    return this.#everyProcess.filter(({ state }) => state === "open");
  }

  // --- the script

  async #runSteps(): Promise<void> {
    for (const step of this.#script.steps) {
      await this.#take(step);
      await this.#seeWhatIsLeft();
      if (!this.#isSound) return;
    }
  }

  async #take({ kind, seed }: Step): Promise<void> {
    const chance = new Chance(seed);
    this.#log.count(`step: ${kind}`);
    switch (kind) {
      case "go on":
        return await this.#goOn(chance, 1 + chance.below(8));
      case "pass time":
        this.#scheduler.pass(chance.pick([1, 3, 10, 30, 300, 2000]));
        return await this.#goOn(chance, 3);
      case "call":
        return this.#call(chance);
      case "relate": {
        const process = this.#pickOpen(chance);
        if (process !== undefined) relate(process, this.#knowledgeOf(process), chance);
        return;
      }
      case "work":
        return this.#pickOpen(chance)?.startWorker(chance, {
          types: TASK_TYPES.slice(chance.below(TASK_TYPES.length)),
          isCapable: chance.happens(0.5),
        });
      case "start":
        return this.#start(chance);
      case "kill":
        return this.#kill(chance);
      case "kill later":
        return this.#pickLive(chance)?.storage.faults.dieAt(randomDeath(chance));
      case "close":
        return this.#close(chance);
      case "cut power":
        return this.#cutPower(chance);
      case "cut power later":
        return this.#cutPowerLater(chance);
      case "fail":
        return this.#pickLive(chance)?.storage.faults.set(randomFault(chance));
      case "fail disk":
        return this.#pickLive(chance)?.storage.faults.set(randomDiskFault(chance));
      case "heal":
        for (const process of this.#live) process.storage.faults.clear();
        return;
      case "stall": {
        const process = this.#pickBusy(chance) ?? this.#pickLive(chance);
        if (process) this.#stall(process, chance.pick([20, 500, 4000]));
        return;
      }
      case "jump": {
        const process = this.#pickLive(chance);
        if (process) this.#jump(process, this.#skew(chance));
        return;
      }
      case "inspect":
        return this.#inspect(this.#pickOpen(chance), chance);
      case "govern": {
        const process = this.#pickOpen(chance);
        const { hasGroups, hasRates } = this.#script.setup;
        const situation = { nowMs: this.#scheduler.nowMs, hasGroups, hasRates };
        if (process !== undefined) govern(process, situation, chance);
        return;
      }
      case "look":
        return this.#look(this.#pickOpen(chance));
    }
  }

  async #goOn(chance: Chance, turns: number): Promise<void> {
    await allMicrotasks();
    for (let turn = 0; turn < turns; turn++) {
      if (!(await this.#scheduler.step(chance))) return;
      this.#noteRest();
    }
  }

  #call(chance: Chance): void {
    const process = this.#pickOpen(chance);
    if (process === undefined) return this.#start(chance);
    ask(process, this.#knowledgeOf(process), chance);
  }

  #knowledgeOf(process: SimulatedProcess): ClientKnowledge {
    return {
      source: this.#source,
      nowMs: this.#scheduler.nowMs,
      leaseDurationMs: this.#script.setup.leaseDurationMs,
      knownIds: this.#checker.knownIds,
      isPruned: this.#script.setup.isPruned,
      others: this.#open.filter((other) => other !== process),
      stall: (other, durationMs) => this.#stall(other, durationMs),
    };
  }

  #start(chance: Chance): void {
    if (this.#live.length >= this.#script.setup.processMax) return;
    const process = this.#addProcess(chance, this.#skew(chance));
    if (this.#script.steps.some(({ kind }) => kind === "kill later") && chance.happens(0.25)) {
      process.storage.faults.dieAt({
        operation: "any",
        after: chance.below(chance.pick([10, 30])),
      });
    }
  }

  #addProcess(chance: Chance, clockOffsetMs: number): SimulatedProcess {
    const process = new SimulatedProcess(this.#everyProcess.length + 1, this.#world, {
      seed: chance.seed(),
      clockOffsetMs,
      setup: this.#script.setup,
      durability: this.#isRelaxed && chance.happens(0.75) ? "relaxed" : "full",
    });
    this.#everyProcess.push(process);
    process.open();
    return process;
  }

  #stall(process: SimulatedProcess, durationMs: number): void {
    const isHolding = (process.worker?.runningCount ?? 0) > 0;
    if (isHolding && durationMs > this.#script.setup.leaseDurationMs) {
      this.#log.count("stalled beyond a running handler's lease");
    }
    this.#scheduler.stall(process.id, durationMs);
  }

  #jump(process: SimulatedProcess, clockOffsetMs: number): void {
    this.#log.count(clockOffsetMs < process.clockOffsetMs ? "clocks put back" : "clocks put on");
    process.clockOffsetMs = clockOffsetMs;
  }

  #kill(chance: Chance): void {
    const process = this.#pickLive(chance);
    if (process === undefined) return;
    this.#log.count("killed between calls");
    process.kill();
  }

  /** One that is in doubt goes first: it is good for nothing else. */
  #close(chance: Chance): void {
    const process = this.#open.find(({ isDoubtful }) => isDoubtful) ?? this.#pickOpen(chance);
    process?.close(chance.pick([0, 100, 3000]));
  }

  #cutPower(chance: Chance): void {
    this.#log.note("power cut");
    this.#log.count("power cuts");
    const isOpening = this.#live.some(({ state }) => state === "opening");
    if (isOpening) this.#log.count("power cuts while a process opens");
    for (const process of this.#live) process.kill();
    this.#disk.cutPower(chance, (what) => this.#log.count(what));
    this.#isLeftUnseen = this.#isRelaxed;
  }

  /** After a power cut that may have undone what was acknowledged: what is left, before anybody goes on. */
  async #seeWhatIsLeft(): Promise<void> {
    if (!this.#isLeftUnseen) return;
    this.#isLeftUnseen = false;
    this.#log.count("power cuts under relaxed durability");
    try {
      const { engine } = this.#world;
      const nowMs = this.#scheduler.nowMs;
      this.#checker.powerCut(await readSurvivors(this.#disk, { engine, nowMs }));
    } catch (error) {
      this.#log.violate(`a queue does not open after a power cut: ${error}`);
    }
  }

  /** A process that has had its time, and has nothing left to do, has made durable what it acknowledged. */
  #noteRest(): void {
    if (!this.#isRelaxed) return;
    for (const { id, isTrusted } of this.#open) {
      if (!isTrusted || !this.#scheduler.isAtRest(id)) continue;
      const untilMs = this.#scheduler.nowMs - RELAXED_SYNC_MS;
      this.#checker.promiseOf(id, this.#checker.nextMoment(), untilMs);
    }
  }

  /** In an instant that is to come, or in the middle of a storage call. */
  #cutPowerLater(chance: Chance): void {
    const process = this.#pickLive(chance);
    const moment = chance.weighted(CUT_MOMENTS);
    if (process === undefined) return;
    if (moment !== "storage call") {
      this.#cuts.set(moment, chance);
      return;
    }
    process.storage.faults.dieAt(randomDeath(chance));
    process.onDeath = () => {
      process.onDeath = () => {};
      this.#log.count("power cuts in a storage call");
      queueMicrotask(() => this.#cutPower(chance));
    };
  }

  #onAnswer({ name }: Call, promises: Promised): void {
    if (promises === "itself") this.#cutPowerAt("an acknowledgement");
    if (promises !== "everything") return;
    const moments = { flush: "a flush", checkpoint: "a checkpoint", close: "a close" } as const;
    this.#cutPowerAt(moments[name as keyof typeof moments]);
  }

  #cutPowerAt(moment: CutMoment): void {
    const chance = this.#cutDueAt(moment);
    if (chance !== undefined) this.#cutPower(chance);
  }

  #onEdit(kind: Edit["kind"], pendingCount: number): void {
    const moment = kind === "truncate" ? "a truncation" : "a second write";
    if (moment === "a second write" && pendingCount < 2) return;
    const chance = this.#cutDueAt(moment);
    if (chance !== undefined) queueMicrotask(() => this.#cutPower(chance));
  }

  /** Processes run side by side: the others may look at any moment. */
  #onHalfDone(owner: ProcessId): void {
    for (const process of this.#open) {
      if (process.id === owner || !this.#scheduler.canGoOn(process.id)) continue;
      this.#log.count("looks at an append that is then undone");
      process.peek();
    }
  }

  #cutDueAt(moment: CutMoment): Chance | undefined {
    const chance = this.#cuts.get(moment);
    if (this.#cuts.delete(moment)) this.#log.count(`power cuts at ${moment}`);
    return chance;
  }

  #skew(chance: Chance): number {
    const { skewMaxMs } = this.#script.setup;
    return skewMaxMs === 0 ? 0 : chance.below(2 * skewMaxMs) - skewMaxMs;
  }

  #pickOpen(chance: Chance): SimulatedProcess | undefined {
    return this.#open.length > 0 ? chance.pick(this.#open) : undefined;
  }

  /** Usually one that runs handlers. */
  #pickBusy(chance: Chance): SimulatedProcess | undefined {
    const busy = this.#open.filter(({ worker }) => (worker?.runningCount ?? 0) > 0);
    return busy.length > 0 && chance.happens(0.7) ? chance.pick(busy) : undefined;
  }

  #pickLive(chance: Chance): SimulatedProcess | undefined {
    return this.#live.length > 0 ? chance.pick(this.#live) : undefined;
  }

  /** Remembers a process's rows, and where in the journal it stood. */
  #look(process: SimulatedProcess | undefined): void {
    const ledger = process?.ledger;
    ledger?.read((reader) => {
      const { sequence } = ledger.stats();
      const sighting = { sequence, chain: chainAt(this.#disk, sequence), rows: dumpRows(reader) };
      const other = this.#sightings.find((one) =>
        one.sequence === sequence && one.chain === sighting.chain
      );
      this.#log.count("replicas looked at");
      for (const problem of miscounts(reader)) this.#log.violate(`p${process!.id}: ${problem}`);
      if (other === undefined) this.#sightings.push(sighting);
      else if (other.rows !== sighting.rows) {
        this.#log.violate(`p${process!.id} saw other rows after record ${sequence} than another`);
      }
    }).catch(() => {});
  }

  /** What a process says is durable must be there in the end; its memory must be what the files say. */
  #inspect(process: SimulatedProcess | undefined, chance: Chance): void {
    const ledger = process?.ledger;
    if (chance.happens(0.5)) {
      ledger?.exportDurable().then(({ sequence }) => {
        if (process!.isDead) return;
        this.#log.count("exports");
        this.#exports.push({ sequence, chain: chainAt(this.#disk, sequence) });
      }).catch(() => {});
      return;
    }
    ledger?.verify().then((problems) => {
      if (process!.isDead) return;
      this.#log.count("memories compared with the files");
      // What a failed fsync forgot is in memory only, until the next fsync says so.
      const [found] = problems.filter((problem) => !/injected|others write/.test(problem));
      if (found !== undefined) this.#log.violate(`p${process!.id} finds wrong: ${found}`);
    }).catch(() => {});
  }

  /** What was said to be durable is still there. */
  #checkExports(): void {
    for (const { sequence, chain } of this.#exports) {
      if (chainAt(this.#disk, sequence) === chain) continue;
      this.#log.violate(`an export included record ${sequence}, which is not what it was`);
    }
  }

  // --- the end

  /** All faults stop; every call must be answered. */
  async #calmDown(): Promise<void> {
    this.#log.note("calm");
    this.#cuts.clear();
    this.#scheduler.endStalls();
    for (const process of this.#live) {
      process.storage.faults.clear();
      process.onDeath = () => {};
    }
    const settled = await this.#until(() => this.#checker.openCallCount === 0);
    if (!settled) this.#log.violate(`no answer: ${this.#checker.describeOpenCalls()}`);
    this.#log.count("settled");
  }

  /** Everybody goes, one way or another; a new process finds what was promised, and finishes the work. */
  async #finish(): Promise<void> {
    await this.#endProcesses();
    await this.#seeWhatIsLeft();
    if (!this.#isSound) return;
    const process = this.#addProcess(this.#chance, 0);
    await this.#until(() => process.state !== "opening");
    if (process.queue === undefined) return this.#log.violate("it does not open again");
    await this.#answerOf(process.queue.list());
    if (this.#isSound) await this.#drain(process);
    if (this.#isSound) await this.#closeAndReplay(process);
  }

  async #endProcesses(): Promise<void> {
    const end = this.#chance.weighted({ leave: 1, kill: 2, close: 2, cut: 3 });
    if (end === "kill") { for (const process of this.#live) process.kill(); }
    if (end === "cut") this.#cutPower(this.#chance);
    if (end === "leave" || end === "close") {
      for (const process of this.#open) if (process.isDoubtful) process.kill();
    }
    if (end !== "close") return;
    for (const process of this.#open) process.close(100);
    if (!(await this.#until(() => this.#live.length === 0))) {
      this.#log.violate(`no end: ${this.#checker.describeOpenCalls()}`);
    }
    if (this.#isRelaxed) this.#cutPower(this.#chance);
  }

  /** A worker that can do everything brings every task to its end. */
  async #drain(process: SimulatedProcess): Promise<void> {
    const isGoverned = this.#script.steps.some(({ kind }) => kind === "govern");
    if (isGoverned) await this.#answerOf(resumeAll(process.queue!));
    // a worker that is governed is woken, or it would sleep through the time that there is
    const pollIntervalMs = isGoverned ? WORKER_LIMITS.pollIntervalMaxMs : 500;
    process.startWorker(this.#chance, { types: TASK_TYPES, isCapable: true, pollIntervalMs });
    const deadlineMs = this.#scheduler.nowMs + DRAIN_MS_MIN;
    for (let looks = 0; await this.#hasUnfinished(process); looks++) {
      if (!this.#isSound) return;
      const isTimeUp = this.#scheduler.nowMs > deadlineMs;
      if (isTimeUp && looks > DRAIN_LOOKS_MIN) return await this.#nameUnfinished(process);
      for (const other of this.#open) if (other.isDoubtful) other.kill();
      await this.#cancelHeldUp(process);
      await this.#until(() => !this.#isSound, DRAIN_TURNS);
    }
    this.#log.count("drained");
  }

  /** Ends those that a failed one of their ordering key holds up: nobody else would. */
  async #cancelHeldUp({ queue }: SimulatedProcess): Promise<void> {
    const failed = await this.#answerOf(queue?.list({ status: "failed", limit: 1000 }));
    const queued = await this.#answerOf(queue?.list({ status: "queued", limit: 1000 }));
    for (const { id, orderingKey, onPredecessorFailure } of queued ?? []) {
      const isHeldUp = orderingKey !== null && onPredecessorFailure === "hold" &&
        failed?.some((other) => other.orderingKey === orderingKey && other.id < id);
      if (!isHeldUp) continue;
      this.#log.count("held up to the end");
      await this.#answerOf(queue?.cancel(id));
    }
  }

  async #hasUnfinished(process: SimulatedProcess): Promise<boolean> {
    const { queue } = process;
    if (queue === undefined) return true;
    const queued = await this.#answerOf(queue.count({ status: "queued" }));
    return queued !== 0 || await this.#answerOf(queue.count({ status: "leased" })) !== 0;
  }

  async #nameUnfinished(process: SimulatedProcess): Promise<void> {
    const tasks = await this.#answerOf(process.queue?.list());
    const task = tasks?.find(({ status }) => !isFinalStatus(status));
    this.#log.violate(`a task never ends: ${JSON.stringify(task)}`);
  }

  async #closeAndReplay(process: SimulatedProcess): Promise<void> {
    await this.#answerOf(process.queue!.list());
    for (const other of this.#live) if (other !== process) other.kill();
    if (this.#chance.happens(0.3)) await this.#answerOf(process.queue!.checkpoint());
    this.#look(process);
    process.close(0);
    await this.#until(() => process.state === "closed");
    if (process.state !== "closed") return this.#log.violate("the last process does not close");
    await this.#lookAgain();
    const isFolded = (this.#disk.find("snapshot")?.now.size ?? 0) > 0;
    this.#log.count(
      `ends compared with ${isFolded ? "a snapshot and" : "no snapshot, only"} records`,
    );
    this.#checkExports();
    checkReplay(this.#sightings, {
      disk: this.#disk,
      engine: this.#world.engine,
      log: this.#log,
      areClocksEqual: this.#script.setup.skewMaxMs === 0,
      hasGroups: this.#script.setup.hasGroups,
      wasRetryAsked: (taskId) => this.#checker.wasRetryAsked(taskId),
      wasPruneAsked: this.#checker.wasPruneAsked,
      knownIds: this.#checker.knownIds,
    });
  }

  /** What the files say when they are opened once more. */
  async #lookAgain(): Promise<void> {
    const process = this.#addProcess(this.#chance, 0);
    await this.#until(() => process.state !== "opening");
    await this.#answerOf(process.queue?.list());
    this.#look(process);
    process.kill();
  }

  /** What `asked` resolves to; `undefined` when it is refused. */
  async #answerOf<T>(asked: Promise<T> | undefined): Promise<T | undefined> {
    if (asked === undefined) return void this.#log.violate("a queue is not open in the end");
    let isSettled = false;
    const answered = asked.catch(() => undefined).finally(() => isSettled = true);
    if (await this.#until(() => isSettled)) return await answered;
    this.#log.violate("no answer in the end");
  }

  /** Lets everything go on until `condition` holds, skipping time in which nothing happens. */
  async #until(condition: () => boolean, turns = CALM_TURNS_MAX): Promise<boolean> {
    for (let turn = 0; turn < turns; turn++) {
      if (condition()) return true;
      if (turn === 0) await allMicrotasks();
      if (await this.#scheduler.step(this.#chance)) {
        this.#noteRest();
        continue;
      }
      const waitMs = this.#scheduler.untilNextTimer();
      if (waitMs === undefined) return condition();
      this.#scheduler.pass(Math.max(waitMs, this.#idleStepMs()));
    }
    return condition();
  }

  /** Time may pass quickly while no handler runs and no lease is held. */
  #idleStepMs(): number {
    const isBusy = this.#everyProcess.some((process) =>
      process.state === "open" && (process.worker?.runningCount ?? 0) > 0
    );
    return isBusy || this.#checker.openCallCount > 0 ? 1 : 500;
  }
}
