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
import { plainjob, PLAINJOB_NAME, whyNoPlainjob } from "../contenders/plainjob.ts";
import { plainTable, plainTableName } from "../contenders/plain_table.ts";
import type { Figure } from "../figures.ts";
import { measure, Stopwatch, type Workload } from "../measure.ts";
import { withTracedSyncs } from "../traced_syncs.ts";
import { BATCH, CALLERS, CONCURRENCY, REACH_WORK } from "../reach_work.ts";
import { claimOrder, enqueueOrder, type Order } from "../orders.ts";
import { perform } from "../works.ts";

/** Where only fsyncs are counted, few operations suffice. */
const COUNTED_OPERATIONS = 100;

interface Group {
  readonly about: string;
  /** By name, as large as so many operations. */
  readonly works: Readonly<Record<string, (operations: number) => Order>>;
}

const GROUPS: Readonly<Record<string, Group>> = {
  enqueue: {
    about: "one caller, 64 callers, batches of 1,000",
    works: {
      [REACH_WORK.enqueueOne]: (operations) => enqueueOrder(1, operations),
      [REACH_WORK.enqueueMany]: (operations) => enqueueOrder(CALLERS, Math.ceil(operations / 20)),
      [REACH_WORK.enqueueBatch]: () => ({ kind: "batches", times: 3, size: BATCH }),
    },
  },
  claim: {
    about: "claim + complete, one at a time and 32 at a time",
    works: {
      [REACH_WORK.claimOne]: (operations) => claimOrder(1, operations / 2),
      [REACH_WORK.claimMany]: () => claimOrder(CONCURRENCY, 960),
    },
  },
  life: {
    about: "the whole life of a task whose handler does nothing, through Worker",
    works: {
      [REACH_WORK.liveOne]: (operations) => ({ kind: "life", times: operations / 2, count: 1 }),
      [REACH_WORK.liveMany]: () => ({ kind: "life", times: 1, count: BATCH }),
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

/** Everyone; plainjob and Deno KV only where they are. */
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
    ...whyNoPlainjob() === undefined
      ? [{ name: PLAINJOB_NAME, enter: (folder: string) => plainjob(join(folder, "plainjob.db")) }]
      : [],
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
    const order = GROUPS[group]!.works[work]!(COUNTED_OPERATIONS);
    return await perform(subject, new Stopwatch({ syncs: countSyncs }), order);
  } finally {
    await subject.close();
  }
}

async function inTurns(bench: Bench, group: string): Promise<Figure[]> {
  const subjects: Contender[] = [];
  const figures: Figure[] = [];
  try {
    const folder = bench.folder(group);
    const reason = whyNoPlainjob();
    if (reason !== undefined) bench.say(`plainjob is left out: ${reason}`);
    for (const { enter } of entrants()) subjects.push(await enter(folder));
    for (const [name, orderOf] of Object.entries(GROUPS[group]!.works)) {
      bench.say(name);
      const order = orderOf(bench.scale.operations);
      const workload: Workload<Contender> = {
        name,
        suits: (contender) => suits(contender, group),
        run: (contender, watch) => perform(contender, watch, order),
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
