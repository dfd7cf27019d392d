/**
 * `deno task bench`: Holdfast beside node:sqlite in one run, in turns. Prints a table and writes `bench/results/latest.json`.
 *
 * Every operation is awaited before the next one of the same caller begins. An fsync's cost decides most of this: on a laptop's
 * disk it takes 1–10 ms, on a server's far less, so compare ratios, not numbers.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { type Contender, holdfast, nodeSqlite } from "./contenders.ts";
import { type Figure, measure, median, type Workload } from "./measure.ts";

const ROUNDS = 5;
const RESULTS = fileURLToPath(new URL("results", import.meta.url));

const WORKLOADS: readonly Workload<Contender>[] = [
  { name: "enqueue, one caller", run: (contender) => callers(contender, 1, 1000) },
  { name: "enqueue, 64 callers", run: (contender) => callers(contender, 64, 50) },
  {
    name: "enqueue, batches of 1,000",
    run: async (contender) => {
      for (let batch = 0; batch < 3; batch++) await contender.enqueueBatch(1000);
      return 3000;
    },
  },
  {
    name: "claim + complete, one at a time",
    prepare: fill,
    run: (contender) => work(contender, 1, 500),
  },
  {
    name: "claim + complete, 32 at a time",
    prepare: fill,
    run: (contender) => work(contender, 32, 960),
  },
];

async function callers(contender: Contender, count: number, each: number): Promise<number> {
  await Promise.all(Array.from({ length: count }, async () => {
    for (let n = 0; n < each; n++) await contender.enqueue(n);
  }));
  return count * each;
}

async function fill(contender: Contender): Promise<void> {
  await contender.enqueueBatch(1000);
}

async function work(contender: Contender, limit: number, tasks: number): Promise<number> {
  let done = 0;
  while (done < tasks) done += await contender.claimAndComplete(limit);
  return done;
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast bench " });
  const contenders = [
    await holdfast(join(folder, "full.db"), "full"),
    await holdfast(join(folder, "relaxed.db"), "relaxed"),
    nodeSqlite(join(folder, "sqlite-full.db"), "FULL"),
    nodeSqlite(join(folder, "sqlite-normal.db"), "NORMAL"),
  ];
  const figures: Figure[] = [];
  try {
    for (const workload of WORKLOADS) figures.push(...await measure(workload, contenders, ROUNDS));
  } finally {
    for (const contender of contenders) await contender.close();
    await Deno.remove(folder, { recursive: true });
  }
  console.log(tableOf(figures));
  await Deno.mkdir(RESULTS, { recursive: true });
  await Deno.writeTextFile(join(RESULTS, "latest.json"), `${JSON.stringify(figures, null, 2)}\n`);
}

function tableOf(figures: readonly Figure[]): string {
  const table = new Table({
    head: [
      "work",
      "contender",
      "survives",
      "ops/s (median)",
      "min – max",
      "fsyncs/op",
      "vs node:sqlite FULL",
    ],
    colAligns: ["left", "left", "left", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const figure of figures) {
    const peer = figures.find(({ workload, contender }) => {
      return workload === figure.workload && contender === "node:sqlite, WAL, FULL";
    })!;
    table.push([
      figure.workload,
      figure.contender,
      figure.durability,
      whole(median(figure.perSecond)),
      `${whole(Math.min(...figure.perSecond))} – ${whole(Math.max(...figure.perSecond))}`,
      figure.syncsPerOperation === null ? "?" : figure.syncsPerOperation.toFixed(3),
      `${(median(figure.perSecond) / median(peer.perSecond)).toFixed(2)}×`,
    ]);
  }
  return table.toString();
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

if (import.meta.main) await main();
