/**
 * Two managers, each with a queue of its own on the same files, in two processes or in this one: after each operation both
 * registries say what the queue says, both queues show the same tasks, and work that was given to one was begun by this one,
 * once.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { runOfTask } from "../../src/domain/run.ts";
import { type EmbeddedQueue, openEmbeddedQueue, type Task } from "../../src/mod.ts";
import { Chance } from "../fuzz/chance.ts";
import { until } from "../support/until.ts";
import {
  type GivenWork,
  HANDLED,
  LocalNeighbour,
  type Neighbour,
  type NeighbourName,
  PATIENCE_MS,
  runSaid,
  tasksSaid,
  type View,
} from "./neighbour.ts";
import { RemoteNeighbour } from "./remote_neighbour.ts";

/** Where the managers are. */
export type Where = "one process" | "two processes";

/** One of the two, and what is known of it. */
interface Known {
  readonly name: NeighbourName;
  readonly neighbour: Neighbour;
  /** What it last said, when both were as they should be. */
  view: View;
  /** Runs that ended, or may have, before its registry was made. */
  mayMiss: ReadonlySet<string>;
}

/** What was asked for so far. */
interface World {
  readonly chance: Chance;
  readonly both: readonly [Known, Known];
  /** Reads what the queue says. */
  readonly queue: EmbeddedQueue;
  /** Who was given each run's work, unless that must never begin. */
  readonly given: Map<string, NeighbourName>;
  /** The result of each run, if it completes. */
  readonly results: Map<string, string>;
  /** Who waits in the work of which run, until it is opened. */
  readonly gated: Map<string, NeighbourName>;
  /** Runs whose tasks are gone. */
  readonly pruned: Set<string>;
  started: number;
}

/** Runs the program of a seed; how many operations were compared. @throws Error at the first difference. */
export async function compareNeighbours(
  seed: number,
  length: number,
  where: Where,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast test ü " });
  try {
    const path = join(folder, "queue.db");
    await using opened = new AsyncDisposableStack();
    const queue = opened.adopt(await openEmbeddedQueue(path), (queue) => queue.close());
    const openOne = async (name: NeighbourName): Promise<Known> => {
      const Place = where === "one process" ? LocalNeighbour : RemoteNeighbour;
      const neighbour = opened.adopt<Neighbour>(await Place.open(name, path), (it) => it.close());
      return { name, neighbour, view: await neighbour.look(), mayMiss: new Set() };
    };
    const both = [await openOne("first"), await openOne("second")] as const;
    await runProgram(worldOf(seed, both, queue), seed, length);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return length + 1;
}

function worldOf(seed: number, both: World["both"], queue: EmbeddedQueue): World {
  const [given, gated, results] = [new Map(), new Map(), new Map()];
  const chance = new Chance(seed);
  return { chance, both, queue, given, gated, results, pruned: new Set(), started: 0 };
}

async function runProgram(world: World, seed: number, length: number): Promise<void> {
  for (let step = 0; step < length; step++) {
    const what = await act(world).catch((error) => {
      throw new Error(`seed ${seed}, step ${step}: ${error.message}`, { cause: error });
    });
    await compare(world, `seed ${seed}, step ${step}: ${what}`);
  }
  for (const runId of world.gated.keys()) await open(world, runId);
  await compare(world, `seed ${seed}, at the end`);
}

/** Does one operation; what it was. */
async function act(world: World): Promise<string> {
  const { chance, both } = world;
  const one = chance.pick(both);
  return await chance.choose<Promise<string>>(
    () => start(world, one, "own"),
    () => start(world, one, "gated"),
    () => start(world, one, chance.pick(["promise", "throws"])),
    () => start(world, both[0], HANDLED),
    () => schedule(world, one),
    () => open(world, chance.pick([...world.gated.keys(), "none"])),
    () => cancel(world, one),
    () => retry(world),
    () => chance.oneIn(3) ? reopen(world, one) : tidy(world),
  );
}

/** Starts one to five runs in one breath. */
async function start(world: World, one: Known, work: GivenWork): Promise<string> {
  const { chance, given } = world;
  const count = 1 + chance.below(5);
  const runIds = Array.from({ length: count }, () => `${work} ${++world.started}`);
  const cancelsFirst = chance.oneIn(6);
  for (const runId of runIds) expectRun(world, one, runId, work);
  const answer = await one.neighbour.start(runIds, work, cancelsFirst);
  // What has a handler elsewhere may be done by then; what was given to this one never begins.
  if (cancelsFirst && work !== HANDLED) {
    assertEquals(answer, true, `cancelled in the same breath: ${runIds[0]}`);
    given.delete(runIds[0]!);
  }
  return `${one.name} starts ${runIds}, the first cancelled ${cancelsFirst}`;
}

function expectRun(
  { given, gated, results }: World,
  { name }: Known,
  runId: string,
  work: GivenWork,
): void {
  given.set(runId, name);
  if (work === "gated") gated.set(runId, name);
  const result = { gated: "opened", [HANDLED]: `handled ${runId}` }[work as string];
  results.set(runId, result ?? `by ${name}`);
}

async function schedule({ chance }: World, { name, neighbour }: Known): Promise<string> {
  const isLater = chance.oneIn(2);
  const id = await neighbour.schedule(isLater);
  return `${name} schedules ${id}, later ${isLater}`;
}

/** Lets a run of gated work end. */
async function open({ both, gated }: World, runId: string): Promise<string> {
  const owner = both.find(({ name }) => name === gated.get(runId));
  await owner?.neighbour.open(runId);
  gated.delete(runId);
  return `opens ${runId}`;
}

async function cancel({ chance, gated }: World, { name, neighbour, view }: Known): Promise<string> {
  const runId = chance.pick([...Object.keys(view.runs).sort(), "unknown"]);
  const isActive = view.active.includes(runId);
  assertEquals(await neighbour.cancel(runId), isActive, `${name} cancels ${runId}`);
  gated.delete(runId);
  return `${name} cancels ${runId}`;
}

/** Only what has a handler is queued again: a function is not kept. */
async function retry({ queue, chance, results }: World): Promise<string> {
  const ended = [
    ...await queue.list({ status: "cancelled" }),
    ...await queue.list({ status: "failed" }),
  ];
  const handled = ended.filter(({ type }) => type === HANDLED);
  if (handled.length === 0) return "retries nothing";
  const { id, runId } = chance.pick(handled);
  results.set(runId, `handled ${runId}`);
  await queue.retry(id);
  return `retries ${runId}`;
}

/** What it still did goes back to the queue: the function is gone, as after the end of a process. */
async function reopen(world: World, one: Known): Promise<string> {
  const isForgetful = world.chance.oneIn(2);
  if (isForgetful) one.mayMiss = new Set((await tasksOf(world)).map(({ runId }) => runId));
  for (const [runId, name] of world.gated) {
    if (name !== one.name) continue;
    world.gated.delete(runId);
    world.results.set(runId, `handled ${runId}`);
  }
  await one.neighbour.reopen(isForgetful);
  return `${one.name} is closed and opened again, with a new registry ${isForgetful}`;
}

async function tidy({ queue, chance, pruned }: World): Promise<string> {
  if (chance.oneIn(2)) {
    await queue.checkpoint();
    return "a checkpoint";
  }
  for (const { runId } of await queue.list({ status: "completed", limit: 1000 })) pruned.add(runId);
  await queue.prune({ keep: 0, statuses: ["completed"] });
  return "completed tasks are pruned";
}

/** Both say what the queue says, once they have heard of it and all that ends by itself has ended. */
async function compare(world: World, where: string): Promise<void> {
  let differences = "";
  const isSame = async (): Promise<boolean> => {
    const tasks = await tasksOf(world);
    const views = await Promise.all(world.both.map(({ neighbour }) => neighbour.look()));
    for (const [index, one] of world.both.entries()) one.view = views[index]!;
    differences = [...differencesOf(world, tasks)].join("; ");
    return differences === "";
  };
  try {
    await until(isSame, where, PATIENCE_MS);
  } catch (error) {
    throw new Error(`${where}: ${differences}`, { cause: error });
  }
}

function* differencesOf(world: World, tasks: readonly Task[]): Generator<string> {
  const { both, given, results, pruned } = world;
  for (const task of tasks) {
    const { runId, status, result } = task;
    if (canEnd(task) && !isWaiting(world, runId)) yield `${runId} does not end`;
    const expected = results.get(runId) ?? result;
    if (status === "completed" && result !== expected) yield `${runId} gave ${result}`;
  }
  for (const one of both) {
    for (const difference of differencesFrom(one, tasks, pruned)) yield `${one.name} ${difference}`;
    const { begun } = one.view;
    const wrong = begun.find((runId, at) =>
      given.get(runId) !== one.name || begun.indexOf(runId) !== at
    );
    if (wrong !== undefined) yield `${one.name} began ${wrong}, again or not given to it`;
  }
}

/** How what this one says differs from what the queue says. */
function* differencesFrom(
  { view, mayMiss }: Known,
  tasks: readonly Task[],
  pruned: ReadonlySet<string>,
): Generator<string> {
  const active = tasks.filter(isActive).map(({ runId }) => runId).sort();
  if (view.active.join() !== active.join()) {
    yield `has the active runs ${view.active}, not ${active}`;
  }
  if (view.listed.join() !== active.join()) {
    yield `has the active runs ${view.listed} in its registry, not ${active}`;
  }
  if (view.count !== active.length) yield `counts ${view.count} active runs, not ${active.length}`;
  if (view.tasks !== tasksSaid(tasks)) yield `has a queue with ${view.tasks}`;
  const known = new Set(pruned);
  for (const task of tasks) {
    const { runId } = task;
    known.add(runId);
    const said = view.runs[runId];
    if (said === undefined && mayMiss.has(runId) && !isActive(task)) continue;
    const truth = runSaid(runOfTask(task), isActive(task));
    if (said !== truth) yield `says ${said} of ${runId}, not ${truth}`;
  }
  for (const runId of Object.keys(view.runs)) {
    if (!known.has(runId)) yield `knows ${runId}, the queue does not`;
  }
}

function isActive({ status }: Task): boolean {
  return status === "queued" || status === "leased";
}

/** Whether it would go on by itself: it has a worker, or a handler and is due. */
function canEnd({ status, type, runAfter }: Task): boolean {
  return status === "leased" ||
    status === "queued" && type === HANDLED && runAfter.getTime() <= Date.now();
}

/** Whether its work has begun and waits to be opened. */
function isWaiting({ both, gated }: World, runId: string): boolean {
  return both.some(({ name, view }) => name === gated.get(runId) && view.begun.includes(runId));
}

async function tasksOf({ queue }: World): Promise<Task[]> {
  return await queue.list({ limit: 1000 });
}
