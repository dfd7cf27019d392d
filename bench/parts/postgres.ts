/**
 * Holdfast on PostgreSQL beside others, durable, on one server that the bench starts, all in turn.
 */
import { SERVER_ENTRANTS } from "../contenders/servers/entrants.ts";
import type { ServerContender, ServerEntrant } from "../contenders/servers/server_contender.ts";
import { Countdown, RESULT } from "../contenders/contender.ts";
import type { Bench, Part } from "../bench.ts";
import { startProgram } from "../children.ts";
import type { Figure } from "../figures.ts";
import { difference, measure, type Stopwatch, type Workload } from "../measure.ts";
import { CALLERS, CONCURRENCY } from "../reach_work.ts";
import { cpuMsWith, type Servers, withServers } from "../servers.ts";
import { claimOrder, enqueueOrder } from "../orders.ts";
import { perform } from "../works.ts";

const GROUP = "postgres";
const PROCESSES = [1, 4] as const;
const WORK_MS = 2;
/** How often the server is asked whether all is done. */
const LOOK_EVERY_MS = 20;

/** The part `postgres`. */
export const POSTGRES_PART: Part = {
  name: GROUP,
  about: "Holdfast on PostgreSQL beside other queues on servers",
  run: (bench) =>
    withServers(bench, async (servers) => {
      const figures: Figure[] = [];
      for (const works of workloads(bench)) figures.push(...await inTurns(bench, servers, works));
      return [...figures, ...await processes(bench, servers)];
    }),
};

/** Those that share tables while they are measured. */
function workloads({ scale }: Bench): readonly (readonly Workload<ServerContender>[])[] {
  const { operations } = scale;
  const hasClaims = ({ claimAndComplete }: ServerContender): boolean =>
    claimAndComplete !== undefined;
  return [
    [
      {
        name: "server: enqueue, one caller",
        run: (c, watch) => perform(c, watch, enqueueOrder(1, operations)),
      },
      {
        name: `server: enqueue, ${CALLERS} callers`,
        run: (c, watch) => perform(c, watch, enqueueOrder(CALLERS, Math.ceil(operations / 20))),
      },
    ],
    [
      {
        name: "server: claim + complete, one at a time",
        suits: hasClaims,
        run: (c, watch) => perform(c, watch, claimOrder(1, operations / 2)),
      },
      {
        name: `server: claim + complete, ${CONCURRENCY} callers, one at a time each`,
        suits: hasClaims,
        run: (c, watch) => claimers(c, watch, operations),
      },
      {
        name: `server: claim + complete, ${CONCURRENCY} at a time`,
        suits: hasClaims,
        run: (c, watch) => perform(c, watch, claimOrder(CONCURRENCY, 960)),
      },
    ],
    [{
      name: `server: whole life, ${CONCURRENCY} at a time`,
      run: (c, watch) => lives(c, watch, 2 * operations),
    }],
  ];
}

async function inTurns(
  bench: Bench,
  servers: Servers,
  works: readonly Workload<ServerContender>[],
): Promise<Figure[]> {
  const subjects: ServerContender[] = [];
  const figures: Figure[] = [];
  try {
    for (const entrant of entrants(servers)) subjects.push(await enter(entrant, servers));
    for (const work of works) {
      bench.say(work.name);
      figures.push(...await measure(GROUP, work, { subjects, rounds: bench.scale.rounds }));
    }
  } finally {
    for (const subject of subjects) await subject.close();
  }
  return figures;
}

function entrants(servers: Servers): readonly ServerEntrant[] {
  return SERVER_ENTRANTS.filter(({ server }) => servers.has(server));
}

let spaces = 0;

function freshSpace(): string {
  return `bench_${++spaces}`;
}

async function enter(entrant: ServerEntrant, servers: Servers): Promise<ServerContender> {
  const server = servers.get(entrant.server)!;
  const contender = await entrant.enter(server.url, freshSpace());
  return { ...contender, cpuMs: () => cpuMsWith(server) };
}

/** As many callers as run tasks at the same time, each of which claims one task and completes it, again and again. */
async function claimers(
  contender: ServerContender,
  watch: Stopwatch,
  tasks: number,
): Promise<number> {
  await contender.enqueueBatch(tasks);
  let left = tasks;
  const claimer = async (): Promise<void> => {
    while (left-- > 0) await watch.lap(() => contender.claimAndComplete!(1));
  };
  await watch.total(async () => {
    await Promise.all(Array.from({ length: CONCURRENCY }, claimer));
  });
  return tasks;
}

/** From the call that enqueues all until the server says that none is open; the worker is running already. */
async function lives(
  contender: ServerContender,
  watch: Stopwatch,
  count: number,
): Promise<number> {
  const countdown = new Countdown();
  const stop = await contender.work(CONCURRENCY, () => {
    countdown.arrive();
    return Promise.resolve(RESULT);
  });
  await watch.total(async () => {
    const allRan = countdown.expect(count);
    await contender.enqueueBatch(count);
    await allRan;
    await untilNoneIsOpen(contender);
  });
  await stop();
  return count;
}

async function untilNoneIsOpen(contender: ServerContender): Promise<void> {
  while (await contender.hasOpen()) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** What worker processes do together, and one alone, with handlers that compute. */
async function processes(bench: Bench, servers: Servers): Promise<Figure[]> {
  const rows = entrants(servers).flatMap((entrant) =>
    PROCESSES.map((count) => ({
      entrant,
      count,
      perSecond: [] as number[],
      cpuUsPerTask: [] as number[],
    }))
  );
  bench.say(`worker processes, handlers of ${WORK_MS} ms`);
  for (let round = 0; round < Math.ceil(bench.scale.rounds / 2); round++) {
    for (let turn = 0; turn < rows.length; turn++) {
      const row = rows[(round + turn) % rows.length]!;
      await drain(bench, servers, row);
    }
  }
  return rows.map(({ entrant, count, perSecond, cpuUsPerTask }) => ({
    group: GROUP,
    work: `server: drain a queue, ${count} worker process${
      count === 1 ? "" : "es"
    }, handlers compute for ${WORK_MS} ms`,
    contender: entrant.name,
    survives: entrant.survives,
    perSecond,
    cpuUsPerTask: cpuUsPerTask.length === 0 ? undefined : cpuUsPerTask,
  }));
}

interface DrainRow {
  readonly entrant: ServerEntrant;
  readonly count: number;
  /** Tasks per second, from the word "go" until none is open. */
  readonly perSecond: number[];
  readonly cpuUsPerTask: number[];
}

/** One round of a row. */
async function drain(
  bench: Bench,
  servers: Servers,
  { entrant, count, perSecond, cpuUsPerTask }: DrainRow,
): Promise<void> {
  const space = freshSpace();
  const server = servers.get(entrant.server)!;
  const { url } = server;
  const contender = await entrant.enter(url, space);
  const tasks = bench.scale.operations;
  await contender.enqueueBatch(tasks);
  const args = [entrant.name, url, space, String(CONCURRENCY), String(WORK_MS)];
  const children = Array.from({ length: count }, () => startProgram("server_worker", ...args));
  for (const child of children) await child.hear<"ready">();
  const pids = children.map(({ pid }) => pid);
  const cpuBefore = await cpuMsWith(server, pids);
  const startedAt = performance.now();
  await Promise.all(children.map((child) => child.tell("go")));
  await untilNoneIsOpen(contender);
  const tookMs = performance.now() - startedAt;
  const cpuMs = difference(cpuBefore, await cpuMsWith(server, pids));
  await Promise.all(children.map((child) => child.tell("stop")));
  const ran = await Promise.all(children.map((child) => child.hear<number>()));
  for (const child of children) await child.end();
  await contender.close();
  const total = ran.reduce((sum, each) => sum + each, 0);
  if (total !== tasks) throw new Error(`${tasks} tasks were enqueued, ${total} were run`);
  perSecond.push(tasks / tookMs * 1000);
  if (cpuMs !== null) cpuUsPerTask.push(cpuMs / tasks * 1000);
}
