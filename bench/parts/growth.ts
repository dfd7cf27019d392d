/**
 * How cost grows: with the tasks that are there already, with the payload, with the number of types, and of compatibilities.
 * All sizes of one dimension take turns, beside the plain table where it knows the dimension.
 */
import { join } from "node:path";
import { type Bench, type Part, sizeName } from "../bench.ts";
import { type Contender, type Mix, PLAIN, TYPE } from "../contenders/contender.ts";
import { holdfast } from "../contenders/holdfast.ts";
import { plainTable } from "../contenders/plain_table.ts";
import type { Figure } from "../figures.ts";
import { queueOf } from "../fixtures.ts";
import { measure, type Workload } from "../measure.ts";
import { claimOrder, enqueueOrder, type Order } from "../orders.ts";
import { perform } from "../works.ts";

const GROUP = "growth";
const PAYLOADS = { "40 B": 40, "4 KB": 4096, "200 KB": 200 * 1024 } as const;
const COUNTS = { types: [1, 1000], compatibilities: [1, 100] } as const;

/** Of the operations that others have: a payload of 200 KB is an fsync of its own length. */
const SHARE = 1 / 5;

/** A contender at one size of a dimension. */
interface Sized extends Contender {
  /** Such as `payload of 4 KB`. */
  readonly size: string;
}

/** The part `growth`. */
export const GROWTH_PART: Part = {
  name: GROUP,
  about: "enqueue and claim by tasks there, payload, types, compatibilities",
  run: async (bench) => [
    ...await dimension(bench, bench.scale.sizes.flatMap((size) => ofTasks(bench, size))),
    ...await dimension(bench, Object.keys(PAYLOADS).flatMap((size) => ofPayload(bench, size))),
    ...await dimension(bench, COUNTS.types.map((count) => ofTypes(bench, count))),
    ...await dimension(bench, COUNTS.compatibilities.map((count) => ofNeeds(bench, count))),
  ],
};

type Enter = () => Promise<Sized>;

async function dimension(bench: Bench, enters: readonly Enter[]): Promise<Figure[]> {
  const subjects: Sized[] = [];
  try {
    for (const enter of enters) subjects.push(await enter());
    const figures: Figure[] = [];
    for (const [work, order] of Object.entries(ordersOf(bench))) {
      bench.say(`${work}: ${subjects.map(({ size }) => size).join(", ")}`);
      figures.push(...await inTurns(bench, subjects, [work, order]));
    }
    return figures;
  } finally {
    for (const subject of subjects) await subject.close();
  }
}

function ordersOf({ scale }: Bench): Readonly<Record<string, Order>> {
  const operations = scale.operations * SHARE;
  return {
    enqueue: enqueueOrder(1, operations),
    // What is there already is claimed, so that 200 KB a task are not enqueued a thousand times.
    "claim + complete": { ...claimOrder(1, operations), filled: 0 } as Order,
  };
}

async function inTurns(
  { scale }: Bench,
  subjects: readonly Sized[],
  [name, order]: readonly [string, Order],
): Promise<Figure[]> {
  const workload: Workload<Sized> = {
    name,
    run: (subject, watch) => perform(subject, watch, order),
  };
  const figures = await measure(GROUP, workload, { subjects, rounds: scale.rounds });
  return figures.map((figure, n) => ({ ...figure, work: `${name}, ${subjects[n]!.size}` }));
}

function ofTasks(bench: Bench, count: number): readonly Enter[] {
  const size = `${sizeName(count)} tasks there`;
  return [
    async () => ({ ...await holdfast(await queueOf(bench, count), "full"), size }),
    async () => {
      const table = plain(bench, PLAIN);
      await table.enqueueBatch(count);
      return { ...table, size };
    },
  ];
}

function ofPayload(bench: Bench, name: string): readonly Enter[] {
  const bytes = PAYLOADS[name as keyof typeof PAYLOADS];
  const size = `payload of ${name}`;
  const text = "x".repeat(bytes - 20);
  const mix = { ...PLAIN, taskOf: (n: number) => ({ type: TYPE, payload: { n, text } }) };
  return [
    async () => ({ ...await ours(bench, mix), size }),
    () => Promise.resolve({ ...plain(bench, mix), size }),
  ];
}

function ofTypes(bench: Bench, count: number): Enter {
  const types = Array.from({ length: count }, (_, n) => `${TYPE}-${n}`);
  const taskOf: Mix["taskOf"] = (n) => ({ ...PLAIN.taskOf(n), type: types[n % count]! });
  const size = count === 1 ? "1 type" : `${count.toLocaleString("en")} types`;
  return async () => ({ ...await ours(bench, { taskOf, claims: { types } }), size });
}

function ofNeeds(bench: Bench, count: number): Enter {
  const capabilities = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`tool-${n}`, true]),
  );
  const taskOf: Mix["taskOf"] = (n) => ({
    ...PLAIN.taskOf(n),
    compatibility: { [`tool-${n % count}`]: true },
  });
  const mix = { taskOf, claims: { types: [TYPE], capabilities } };
  const size = count === 1 ? "1 compatibility" : `${count} compatibilities`;
  return async () => ({ ...await ours(bench, mix), size });
}

async function ours(bench: Bench, mix: Mix): Promise<Contender> {
  return await holdfast(join(bench.folder(GROUP), "queue.db"), "full", mix);
}

function plain(bench: Bench, mix: Mix): Contender {
  return plainTable(join(bench.folder(GROUP), "plain.db"), "FULL", mix);
}
