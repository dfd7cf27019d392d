/**
 * `deno task bench`: Holdfast beside others in one run, in turns. Prints tables, and writes `results/latest.json` and,
 * when nothing was left out, `RESULTS.md`.
 *
 * `--quick` takes seconds instead of minutes; `--only=enqueue,claim` runs these parts. An fsync's cost decides much of this:
 * on a laptop's disk it takes 1–10 ms, on a server's far less. So compare ratios within one run, not numbers.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bench, FULL_SCALE, type Part, QUICK_SCALE, withBench } from "./bench.ts";
import type { Figure } from "./figures.ts";
import { describeLoad, describeMachine } from "./machine.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { BACKLOG_PART } from "./parts/backlog.ts";
import { CHECKPOINT_PART } from "./parts/checkpoint.ts";
import { GROWTH_PART } from "./parts/growth.ts";
import { HTTP_PART } from "./parts/http.ts";
import { IDLE_PART } from "./parts/idle.ts";
import { LATENCY_PART } from "./parts/latency.ts";
import { OPEN_PART } from "./parts/open.ts";
import { POSTGRES_PART } from "./parts/postgres.ts";
import { PROCESSES_PART } from "./parts/processes.ts";
import { SYNCS_PART } from "./parts/syncs.ts";
import { THROUGHPUT_PARTS } from "./parts/throughput.ts";
import { reachOf } from "./reach.ts";
import { asMarkdown, asText, type Report } from "./report.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

const PARTS: readonly Part[] = [
  ...THROUGHPUT_PARTS,
  SYNCS_PART,
  GROWTH_PART,
  PROCESSES_PART,
  POSTGRES_PART,
  LATENCY_PART,
  HTTP_PART,
  OPEN_PART,
  CHECKPOINT_PART,
  BACKLOG_PART,
  IDLE_PART,
];

async function main(): Promise<void> {
  const options = optionsOrExit();
  const scale = options.isQuick ? QUICK_SCALE : FULL_SCALE;
  await withBench(scale, async (bench) => {
    const before = await describeMachine(bench.folder("machine"));
    const figures = await runParts(bench, options);
    const machine = { ...before, "load average at the end": describeLoad() };
    const command = ["deno task bench", ...Deno.args].join(" ");
    const isWhole = options.only === null;
    await tell({ machine, command, figures, reach: reachOf(figures) }, isWhole);
  });
}

function optionsOrExit(): BenchOptions {
  try {
    return parseOptions(Deno.args, PARTS.map(({ name }) => name));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    for (const { name, about } of PARTS) console.error(`  ${name.padEnd(12)}${about}`);
    Deno.exit(2);
  }
}

async function runParts(bench: Bench, { only }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const part of PARTS) {
    if (only !== null && !only.includes(part.name)) continue;
    bench.say(`# ${part.name}: ${part.about}`);
    figures.push(...await part.run(bench));
  }
  return figures;
}

async function tell(report: Report, isWhole: boolean): Promise<void> {
  console.log(asText(report));
  await Deno.mkdir(join(HERE, "results"), { recursive: true });
  const json = `${JSON.stringify(report, null, 2)}\n`;
  await Deno.writeTextFile(join(HERE, "results", "latest.json"), json);
  if (!isWhole) return;
  const notes = await Deno.readTextFile(join(HERE, "HOW_MEASURED.md"));
  await Deno.writeTextFile(join(HERE, "RESULTS.md"), asMarkdown(report, notes.trim()));
}

if (import.meta.main) await main();
