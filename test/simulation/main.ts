/**
 * `deno task sim`: runs simulations, as many as there is time for, and says how to replay one that failed.
 *
 *     deno task sim --minutes 10          new seeds for ten minutes
 *     deno task sim --seeds 2000          the seeds 1 to 2000
 *     deno task sim --seed 17             one seed
 *     deno task sim --seed 17 --verbose   one seed, every event
 */
import { parseArgs } from "node:util";
import { messageOf } from "../../src/domain/errors.ts";
import { Report } from "./report.ts";
import { type Script, scriptOf } from "./script.ts";
import { runSeeds, seedsFrom } from "./seed_pool.ts";
import { formatSteps, keepSteps, parseSteps, shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const SHRINK_MS = 30_000;
const PROGRESS_EVERY_MS = 5000;
const SHRUNK_FAILURES_MAX = 3;

/** What was asked for. */
interface Options {
  readonly seed: number | undefined;
  readonly seeds: number | undefined;
  readonly minutes: number | undefined;
  readonly steps: readonly number[] | undefined;
  readonly threads: number;
  readonly isVerbose: boolean;
}

async function main(options: Options): Promise<number> {
  const { seed, seeds, minutes } = options;
  if (seed !== undefined && seeds === undefined && minutes === undefined) {
    return await runOne(seed, options);
  }
  const report = await runMany(options);
  console.log(report.table());
  console.log(report.summary());
  for (const failure of report.failures) {
    console.log(`seed ${failure.seed}: ${failure.violations[0]}`);
    console.log(`  deno task sim --seed=${failure.seed} --verbose`);
  }
  for (const failure of report.failures.slice(0, SHRUNK_FAILURES_MAX)) {
    await printShrunk(scriptOf(failure.seed));
  }
  return report.failures.length === 0 ? 0 : 1;
}

async function runOne(seed: number, { steps, isVerbose }: Options): Promise<number> {
  const whole = scriptOf(seed);
  const script = steps === undefined ? whole : keepSteps(whole, steps);
  if (script.steps.length < new Set(steps).size) {
    console.error(`Cannot use these --steps: seed ${seed} has ${whole.steps.length}`);
    return 2;
  }
  if (isVerbose) console.log(JSON.stringify(script.setup));
  const { violations, hash } = await simulate(script, isVerbose ? console.log : undefined);
  console.log(`seed ${seed}: ${script.steps.length} steps, history ${hash.toString(16)}`);
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  if (violations.length > 0 && steps === undefined) await printShrunk(script);
  return violations.length === 0 ? 0 : 1;
}

async function runMany({ seed, seeds, minutes, threads }: Options): Promise<Report> {
  const report = new Report();
  const startedAt = performance.now();
  const endsAt = startedAt + (minutes ?? Infinity) * 60_000;
  const nextOf = seedsFrom(seed ?? (minutes === undefined ? 1 : unusedSeed()), seeds ?? Infinity);
  let reportedAt = startedAt;
  await runSeeds(() => performance.now() < endsAt ? nextOf() : undefined, {
    threads,
    onOutcome: (outcome) => {
      report.add(outcome);
      const [violation] = outcome.violations;
      if (violation !== undefined) console.error(`seed ${outcome.seed}: ${violation}`);
      if (performance.now() - reportedAt < PROGRESS_EVERY_MS) return;
      reportedAt = performance.now();
      console.error(`${Math.round((reportedAt - startedAt) / 1000)} s: ${report.summary()}`);
    },
  });
  return report;
}

async function printShrunk(script: Script): Promise<void> {
  const endsAt = performance.now() + SHRINK_MS;
  const kept = await shrink(script, () => performance.now() > endsAt);
  console.log(`with ${kept.length} of ${script.steps.length} steps:`);
  console.log(`  deno task sim --seed=${script.seed} --steps=${formatSteps(kept)} --verbose`);
}

/** A seed from which on probably nobody has tried any. */
function unusedSeed(): number {
  return Math.floor(Date.now() / 1000) % 2 ** 20 * 1000;
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      steps: { type: "string" },
      threads: { type: "string", default: String(navigator.hardwareConcurrency) },
      verbose: { type: "boolean", default: false },
    },
  });
  const isBare = values.seed === undefined && values.seeds === undefined;
  return {
    seed: numberOf("seed", values.seed),
    seeds: numberOf("seeds", values.seeds),
    minutes: numberOf("minutes", values.minutes ?? (isBare ? "1" : undefined)),
    steps: values.steps === undefined ? undefined : parseSteps(values.steps),
    threads: numberOf("threads", values.threads) ?? 1,
    isVerbose: values.verbose,
  };
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && value >= 0) return value;
  throw new TypeError(`Cannot use ${JSON.stringify(text)} as --${name}: a number from 0 is needed`);
}

function optionsOrExit(): Options {
  try {
    return readOptions(Deno.args);
  } catch (error) {
    console.error(messageOf(error));
    Deno.exit(2);
  }
}

if (import.meta.main) Deno.exit(await main(optionsOrExit()));
