/**
 * How long it takes from the call of `enqueue` until the handler runs: in this process and in another, when nothing else goes
 * on (long enough that everything has gone to rest) and when others enqueue without pause.
 */
import { join } from "node:path";
import { HandlerRegistry, openQueue, type TaskQueue, Worker } from "../../src/mod.ts";
import type { Bench, Part } from "../bench.ts";
import { startProgram } from "../children.ts";
import { TYPE } from "../contenders/contender.ts";
import { type Figure, percentiles } from "../figures.ts";
import { wallMs } from "../programs/talk.ts";
import { type Business, REACH_WORK } from "../reach_work.ts";

/** Longer than a queue needs to go to rest. */
const REST_MS = 700;
/** Between two samples while others enqueue. */
const PAUSE_MS = 10;
/** An idle sample takes long, so there are fewer. */
const IDLE_SHARE = 1 / 5;
const BUSY_CALLERS = 4;
const CONCURRENCY = 32;

/** The part `latency`. */
export const LATENCY_PART: Part = {
  name: "latency",
  about: "enqueue to start, same process and other process, idle and busy",
  run: async (bench) => [...await here(bench), ...await there(bench)],
};

async function here(bench: Bench): Promise<Figure[]> {
  const queue = await openQueue({ path: join(bench.folder("latency here"), "queue.db") });
  let started = Promise.withResolvers<number>();
  const handlers = new HandlerRegistry();
  handlers.register(TYPE, () => Promise.resolve(null));
  handlers.register("probe", () => Promise.resolve(started.resolve(wallMs())));
  const worker = new Worker({ queue, handlers, concurrency: CONCURRENCY });
  worker.start();
  const nextStart = (): Promise<number> => {
    started = Promise.withResolvers<number>();
    return started.promise;
  };
  try {
    return await both(bench, queue, { name: REACH_WORK.startHere, nextStart });
  } finally {
    await worker.stop();
    await queue.close();
  }
}

async function there(bench: Bench): Promise<Figure[]> {
  const path = join(bench.folder("latency there"), "queue.db");
  const queue = await openQueue({ path });
  const child = startProgram("worker", path, "full", String(CONCURRENCY), "0");
  await child.hear<"ready">();
  await child.tell("go");
  try {
    const nextStart = (): Promise<number> => child.hear<number>();
    return await both(bench, queue, { name: REACH_WORK.startThere, nextStart });
  } finally {
    await child.end();
    await queue.close();
  }
}

interface Place {
  readonly name: (business: Business) => string;
  /** Resolves to the moment at which the next probe starts. */
  readonly nextStart: () => Promise<number>;
}

async function both(bench: Bench, queue: TaskQueue, place: Place): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const business of ["idle", "busy"] as const) {
    bench.say(place.name(business));
    const latencies = business === "idle"
      ? await sample(queue, place, [bench.scale.latencies * IDLE_SHARE, REST_MS])
      : await whileBusy(queue, () => sample(queue, place, [bench.scale.latencies, PAUSE_MS]));
    figures.push({
      group: "latency",
      work: place.name(business),
      contender: "Holdfast, full",
      survives: "power cut",
      latencyMs: percentiles(latencies),
    });
  }
  return figures;
}

async function sample(
  queue: TaskQueue,
  { nextStart }: Place,
  [count, pauseMs]: readonly [count: number, pauseMs: number],
): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < count; n++) {
    await pause(pauseMs * (0.8 + 0.4 * Math.random()));
    const enqueuedAtMs = wallMs();
    const [startedAtMs] = await Promise.all([nextStart(), queue.enqueue({ type: "probe" })]);
    latencies.push(startedAtMs - enqueuedAtMs);
  }
  return latencies;
}

async function whileBusy<T>(queue: TaskQueue, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const callers = Array.from({ length: BUSY_CALLERS }, async () => {
    while (!isOver) {
      await queue.enqueue({ type: TYPE });
      await pause(1);
    }
  });
  try {
    return await work();
  } finally {
    isOver = true;
    await Promise.all(callers);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
