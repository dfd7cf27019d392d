/**
 * `deno task counts`: what each operation costs in fsyncs, journal bytes, SQL statements and locks, beside what is expected;
 * with `--update` the expected values become those found.
 */
import Table from "cli-table3";
import { COUNTED, type Counts } from "./counted_queue.ts";
import { type CountsByName, differences, readExpected, writeExpected } from "./expected_counts.ts";
import { countScenario, SCENARIOS } from "./scenarios.ts";

async function main(): Promise<void> {
  const update = Deno.args.includes("--update");
  const unknown = Deno.args.filter((argument) => argument !== "--update");
  if (unknown.length > 0) {
    console.error(`Cannot use ${JSON.stringify(unknown[0])}: allowed is --update`);
    Deno.exit(2);
  }
  const found: Record<string, Counts> = {};
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    found[name] = await countScenario(scenario);
  }
  console.log(tableOf(found));
  const expected = await readExpected().catch((error): CountsByName => {
    if (update && error instanceof Deno.errors.NotFound) return {};
    throw error;
  });
  const names = new Set([...Object.keys(expected), ...Object.keys(found)]);
  const changes = [...names].flatMap((name) => differences(name, expected[name], found[name]));
  for (const change of changes) console.log(change);
  if (update) await writeExpected(found);
  else if (changes.length > 0) Deno.exit(1);
}

function tableOf(found: Readonly<Record<string, Counts>>): string {
  const table = new Table({
    head: ["operation", ...COUNTED],
    colAligns: ["left", ...COUNTED.map(() => "right" as const)],
    style: { head: [], border: [] },
  });
  for (const [name, counts] of Object.entries(found)) {
    table.push([name, ...COUNTED.map((what) => counts[what].toLocaleString("en"))]);
  }
  return table.toString();
}

if (import.meta.main) await main();
