/**
 * Two managers, each with a queue of its own on the same files, as two processes have: after each operation the registries of
 * both say what the queue says, and work that was given to one was done by this one, once.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { createRun, isActive, runOfTask } from "../../src/domain/run.ts";
import type { Run } from "../../src/domain/run.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue, type Task, type TaskQueue } from "../../src/mod.ts";
import { Chance } from "../fuzz/chance.ts";
import { until } from "../support/until.ts";

/** How long both may take to hear of an operation on a busy machine. */
const PATIENCE_MS = 30_000;

/** The module that only the second manager has a handler for. */
const HANDLED = "handled";

/** One of the two, with what it keeps when it is closed and opened again. */
interface Neighbour {
  readonly name: string;
  readonly registry: RunRegistry;
  manager: QueuedTaskManager;
}

/** What was asked for so far. */
interface World {
  readonly path: string;
  readonly chance: Chance;
  readonly neighbours: readonly [Neighbour, Neighbour];
  /** Reads what the queue says. */
  readonly queue: TaskQueue;
  /** Where each run's own work was begun. */
  readonly begun: Map<string, string[]>;
  /** Who was given each run's work. */
  readonly given: Map<string, string>;
  readonly gates: Map<string, PromiseWithResolvers<string>>;
  /** Whose end the registries need not know: their tasks are gone. */
  readonly pruned: Set<string>;
  started: number;
}

/** Runs the program of a seed; how many operations were compared. @throws AssertionError at the first difference. */
export async function compareNeighbours(seed: number, length: number): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast test ü " });
  try {
    const world = await openWorld(join(folder, "queue.db"), seed);
    try {
      for (let step = 0; step < length; step++) {
        const what = await act(world).catch((error) => {
          throw new Error(`seed ${seed}, step ${step}: ${error.message}`, { cause: error });
        });
        await compare(world, `seed ${seed}, step ${step}: ${what}`);
      }
      await endAll(world);
      await compare(world, `seed ${seed}, at the end`);
      checkBegun(world, `seed ${seed}`);
    } finally {
      for (const { manager } of world.neighbours) await manager.close({ graceMs: 0 });
      await world.queue.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return length + 1;
}

async function openWorld(path: string, seed: number): Promise<World> {
  const first = await openNeighbour("first", path, new RunRegistry());
  const second = await openNeighbour("second", path, new RunRegistry());
  return {
    path,
    chance: new Chance(seed),
    neighbours: [first, second],
    queue: await openQueue(path),
    begun: new Map(),
    given: new Map(),
    gates: new Map(),
    pruned: new Set(),
    started: 0,
  };
}

async function openNeighbour(
  name: string,
  path: string,
  registry: RunRegistry,
): Promise<Neighbour> {
  const worker = { leaseDurationMs: PATIENCE_MS };
  const manager = await QueuedTaskManager.open(await openQueue(path), registry, { worker });
  if (name === "second") manager.registerTask(HANDLED, ({ runId }) => `handled ${runId}`);
  return { name, registry, manager };
}

/** Does one operation; what it was. */
async function act(world: World): Promise<string> {
  const { chance, neighbours } = world;
  const neighbour = chance.pick(neighbours);
  return await chance.pick<() => Promise<string>>([
    () => start(world, neighbour, "own"),
    () => start(world, neighbour, "gated"),
    () => start(world, neighbour, chance.pick(["promise", "throws"])),
    () => start(world, neighbours[0], HANDLED),
    () => schedule(world, neighbour),
    () => open(world),
    () => cancel(world, neighbour),
    () => retry(world),
    () => chance.oneIn(3) ? reopen(world, neighbour) : tidy(world),
  ])();
}

/** Starts one to five runs in one breath; the other one has a handler for what it starts for others. */
async function start(world: World, neighbour: Neighbour, kind: string): Promise<string> {
  const runIds = Array.from(
    { length: 1 + world.chance.below(5) },
    () => `${kind} ${++world.started}`,
  );
  const isCancelled = world.chance.oneIn(6);
  for (const runId of runIds) {
    // The second has a handler for it, so that only the first gives it work.
    const moduleId = neighbour.name === "first" ? HANDLED : "elsewhere";
    world.given.set(runId, neighbour.name);
    neighbour.manager.startTask(
      createRun({ runId, moduleId }),
      workOf(world, neighbour, runId, kind),
    );
  }
  if (isCancelled) {
    const answer = await neighbour.manager.cancelTask(runIds[0]!);
    // What has a handler elsewhere may be done by then; what was given to this one has not begun.
    if (kind !== HANDLED) assertEquals(answer, true, `cancelled in the same breath: ${runIds[0]}`);
  }
  await neighbour.manager.flush();
  return `${neighbour.name} starts ${runIds} ${isCancelled}`;
}

function workOf(
  world: World,
  { name }: Neighbour,
  runId: string,
  kind: string,
): Promise<string> | (() => Promise<string>) | undefined {
  if (kind === HANDLED) return undefined;
  if (kind === "promise") return Promise.resolve(`by ${name}`);
  return () => {
    world.begun.set(runId, [...world.begun.get(runId) ?? [], name]);
    if (kind === "throws") throw new Error(`by ${name}`);
    if (kind === "own") return Promise.resolve(`by ${name}`);
    const gate = Promise.withResolvers<string>();
    world.gates.set(runId, gate);
    return gate.promise;
  };
}

async function schedule({ chance }: World, { manager, name }: Neighbour): Promise<string> {
  const isLater = chance.oneIn(2);
  const runAfter = isLater ? new Date(Date.now() + 3_600_000) : undefined;
  const id = await manager.scheduleTask(HANDLED, {}, { runAfter });
  return `${name} schedules ${id}, later ${isLater}`;
}

/** Lets a run of gated work end. */
function open(world: World): Promise<string> {
  const [runId, gate] = world.chance.pick([...world.gates, ["none", undefined] as const]);
  world.gates.delete(runId);
  gate?.resolve("opened");
  return Promise.resolve(`opens ${runId}`);
}

async function cancel(world: World, { manager, name }: Neighbour): Promise<string> {
  const run = world.chance.pick([...manager.registry.getRecentRuns(1000), undefined]);
  if (run === undefined) return "cancels nothing";
  const wasActive = isActive(run.status);
  assertEquals(await manager.cancelTask(run.runId), wasActive, `${name} cancels ${run.runId}`);
  return `${name} cancels ${run.runId}`;
}

/** Only what has a handler is queued again: a function is not kept. */
async function retry({ queue, chance }: World): Promise<string> {
  const ended = [
    ...await queue.list({ status: "cancelled" }),
    ...await queue.list({ status: "failed" }),
  ];
  const handled = ended.filter((task) => task.type === HANDLED);
  if (handled.length === 0) return "retries nothing";
  const { id, runId } = chance.pick(handled);
  await queue.retry(id);
  return `retries ${runId}`;
}

/** What it still did goes back to the queue: the function is gone, as after the end of a process. */
async function reopen(world: World, neighbour: Neighbour): Promise<string> {
  await neighbour.manager.close({ graceMs: 0 });
  for (const [runId, name] of world.given) {
    if (name === neighbour.name) world.gates.delete(runId);
  }
  const again = await openNeighbour(neighbour.name, world.path, neighbour.registry);
  neighbour.manager = again.manager;
  return `${neighbour.name} is closed and opened again`;
}

async function tidy({ queue, chance, pruned }: World): Promise<string> {
  if (chance.oneIn(2)) {
    await queue.checkpoint();
    return "a checkpoint";
  }
  for (const { runId } of await queue.list({ status: "completed", limit: 1000 })) pruned.add(runId);
  await queue.prune({ olderThanMs: 0, statuses: ["completed"] });
  return "completed tasks are pruned";
}

/** All that can end does; nothing that was scheduled for later. */
async function endAll(world: World): Promise<void> {
  for (const gate of world.gates.values()) gate.resolve("at the end");
  await until(
    async () => (await tasksOf(world)).every((task) => !canEnd(task)),
    "the end",
    PATIENCE_MS,
  );
}

/** The registries of both say what the queue says, once they have heard of it. */
async function compare(world: World, where: string): Promise<void> {
  let difference = "nothing";
  const isSame = async (): Promise<boolean> => {
    const tasks = await tasksOf(world);
    if (tasks.some((task) => canEnd(task) && !isGated(world, task))) {
      difference = `a task does not end: ${tasks.filter(canEnd).map(({ runId }) => runId)}`;
      return false;
    }
    difference = world.neighbours.map((neighbour) => differenceOf(world, neighbour, tasks)).join(
      "",
    );
    return difference === "";
  };
  try {
    await until(isSame, where, PATIENCE_MS);
  } catch {
    throw new Error(`${where}: ${difference}`);
  }
}

function differenceOf(
  { pruned }: World,
  { name, registry, manager }: Neighbour,
  tasks: readonly Task[],
): string {
  const expected = tasks.filter(({ status }) => status === "queued" || status === "leased")
    .map(({ runId }) => runId).sort().join();
  const active = manager.getActiveTaskIds().sort().join();
  if (active !== expected) return `${name} has the active runs ${active}, not ${expected}; `;
  const listed = registry.getActiveRuns().map(({ runId }) => runId).sort().join();
  if (listed !== expected) return `the registry of ${name} has the active runs ${listed}; `;
  for (const task of tasks) {
    const run = registry.getRun(task.runId);
    // Another one's task may have begun and ended while this manager was closed.
    if (run === undefined) continue;
    const [shown, true_] = [said(run), said(runOfTask(task))];
    if (shown !== true_) return `${name} says ${shown} of ${task.runId}, not ${true_}; `;
  }
  const unknown = registry.getRecentRuns(10_000).find(({ runId }) =>
    !pruned.has(runId) && !tasks.some((task) => task.runId === runId)
  );
  return unknown === undefined ? "" : `${name} knows ${unknown.runId}, the queue does not; `;
}

function said(
  { status, result, errorMessage, attempts, exitCode, progressPercent, startedAt, completedAt }:
    Run,
): string {
  const instants = [startedAt?.getTime(), completedAt?.getTime()];
  return JSON.stringify([
    status,
    result,
    errorMessage,
    attempts,
    exitCode,
    progressPercent,
    instants,
  ]);
}

/** Work that was given was begun by the one that it was given to and by no other; once, unless it was closed. */
function checkBegun({ begun, given }: World, where: string): void {
  for (const [runId, names] of begun) {
    assertEquals(names, [given.get(runId)], `${where}: who began ${runId}`);
  }
  assert(begun.size > 0 || given.size < 5, `${where}: no work was begun`);
}

/** Whether it would go on by itself: somebody has it, or has a handler for it and it is due. */
function canEnd({ status, type, runAfter }: Task): boolean {
  return status === "leased" ||
    status === "queued" && type === HANDLED && runAfter.getTime() <= Date.now();
}

function isGated({ gates }: World, { runId, status }: Task): boolean {
  return status === "leased" && gates.has(runId);
}

async function tasksOf({ queue }: World): Promise<Task[]> {
  return await queue.list({ limit: 1000 });
}
