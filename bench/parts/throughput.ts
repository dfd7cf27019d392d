/**
 * Enqueueing, claiming and the whole life of a task, all contenders in turn.
 */
import { join } from "node:path";
import type { Durability } from "../../src/mod.ts";
import type { Bench, Part } from "../bench.ts";
import type { Contender } from "../contenders/contender.ts";
import { append, APPEND_NAME } from "../contenders/append.ts";
import { denoKv, KV_NAME } from "../contenders/deno_kv.ts";
import { holdfast } from "../contenders/holdfast.ts";
import { inMemory } from "../contenders/in_memory.ts";
import { OUR_TABLES_NAME, ourTables } from "../contenders/our_tables.ts";
import { plainTable, plainTableName } from "../contenders/plain_table.ts";
import type { Figure } from "../figures.ts";
import { measure, Stopwatch, type Workload } from "../measure.ts";
import { withTracedSyncs } from "../traced_syncs.ts";
import { BATCH, CALLERS, CONCURRENCY, REACH_WORK } from "../reach_work.ts";
import { callers, claims } from "../workloads.ts";

/** Where only fsyncs are counted, few operations suffice. */
const COUNTED_OPERATIONS = 100;

type Work = (contender: Contender, watch: Stopwatch, operations: number) => Promise<number>;

interface Group {
  readonly about: string;
  /** By name. */
  readonly works: Readonly<Record<string, Work>>;
}

const GROUPS: Readonly<Record<string, Group>> = {
  enqueue: {
    about: "one caller, 64 callers, batches of 1,000",
    works: {
      [REACH_WORK.enqueueOne]: (c, watch, operations) => callers(c, watch, [1, operations]),
      [REACH_WORK.enqueueMany]: (c, watch, operations) =>
        callers(c, watch, [CALLERS, Math.ceil(operations / 20)]),
      [REACH_WORK.enqueueBatch]: batches,
    },
  },
  claim: {
    about: "claim + complete, one at a time and 32 at a time",
    works: {
      [REACH_WORK.claimOne]: (c, watch, operations) => claims(c, watch, [1, operations / 2]),
      [REACH_WORK.claimMany]: (c, watch) => claims(c, watch, [CONCURRENCY, 960]),
    },
  },
  life: {
    about: "the whole life of a task whose handler does nothing, through Worker",
    works: {
      [REACH_WORK.liveOne]: (c, watch, operations) => lives(c, watch, [operations / 2, 1]),
      [REACH_WORK.liveMany]: (c, watch) => lives(c, watch, [1, BATCH]),
    },
  },
};

/** The parts `enqueue`, `claim` and `life`. */
export const THROUGHPUT_PARTS: readonly Part[] = Object.entries(GROUPS).map(
  ([name, { about }]) => ({ name, about, run: (bench) => inTurns(bench, name) }),
);

interface Entrant {
  readonly name: string;
  /** Makes it, with files of its own in `folder`. */
  readonly enter: (folder: string) => Promise<Contender>;
}

/** Everyone; Deno KV only where it may be used. */
function entrants(): readonly Entrant[] {
  const enter = async (folder: string, durability: Durability): Promise<Contender> =>
    await holdfast(join(folder, `${durability}.db`), durability);
  const plain = (["FULL", "NORMAL"] as const).map((synchronous): Entrant => ({
    name: plainTableName(synchronous),
    enter: (folder) =>
      Promise.resolve(plainTable(join(folder, `plain ${synchronous}.db`), synchronous)),
  }));
  return [
    { name: "Holdfast, full", enter: (folder) => enter(folder, "full") },
    { name: "Holdfast, relaxed", enter: (folder) => enter(folder, "relaxed") },
    ...plain,
    {
      name: OUR_TABLES_NAME,
      enter: (folder) => Promise.resolve(ourTables(join(folder, "ours.db"))),
    },
    { name: APPEND_NAME, enter: (folder) => Promise.resolve(append(join(folder, "append"))) },
    { name: "in-memory manager", enter: () => Promise.resolve(inMemory()) },
    ..."openKv" in Deno
      ? [{ name: KV_NAME, enter: (folder: string) => denoKv(join(folder, "kv.db")) }]
      : [],
  ];
}

/** Has one contender do one work; the number of tasks. `countSyncs` is called right before and right after. */
export async function doOnce(
  { group, work, contender, folder }: {
    readonly group: string;
    readonly work: string;
    readonly contender: string;
    readonly folder: string;
  },
  countSyncs: () => Promise<number | null>,
): Promise<number> {
  const subject = await entrants().find(({ name }) => name === contender)!.enter(folder);
  try {
    return await GROUPS[group]!.works[work]!(
      subject,
      new Stopwatch(countSyncs),
      COUNTED_OPERATIONS,
    );
  } finally {
    await subject.close();
  }
}

async function inTurns(bench: Bench, group: string): Promise<Figure[]> {
  const subjects: Contender[] = [];
  const figures: Figure[] = [];
  try {
    const folder = bench.folder(group);
    for (const { enter } of entrants()) subjects.push(await enter(folder));
    for (const [name, work] of Object.entries(GROUPS[group]!.works)) {
      bench.say(name);
      const workload: Workload<Contender> = {
        name,
        suits: (contender) => suits(contender, group),
        run: (contender, watch) => work(contender, watch, bench.scale.operations),
      };
      figures.push(...await measure(group, workload, { subjects, rounds: bench.scale.rounds }));
    }
  } finally {
    for (const subject of subjects) await subject.close();
  }
  return bench.scale.tracesSyncs ? await withTracedSyncs(bench, figures) : figures;
}

/** Not everyone lets tasks be claimed, or runs them. */
function suits({ claimAndComplete, work }: Contender, group: string): boolean {
  if (group === "claim") return claimAndComplete !== undefined;
  return group !== "life" || work !== undefined;
}

async function batches(contender: Contender, watch: Stopwatch): Promise<number> {
  const times = 3;
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => contender.enqueueBatch(BATCH));
  });
  return times * BATCH;
}

async function lives(
  contender: Contender,
  watch: Stopwatch,
  [times, count]: readonly [times: number, count: number],
): Promise<number> {
  const working = await contender.work!(count === 1 ? 1 : CONCURRENCY);
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => working.live(count));
  });
  await working.stop();
  return times * count;
}
