/**
 * `deno task differential`: random programs by both task managers, and by two managers on one queue in two processes or in one,
 * compared after each operation.
 *
 *     deno task differential --operations 100000      as many operations, from seed 1 on, a third of them each
 *     deno task differential --operations 50000 --first 1000 --only substitutes
 *     deno task differential --seed 17                one seed
 */
import { parseArgs } from "node:util";
import { messageOf } from "../../src/domain/errors.ts";
import { compareNeighbours } from "./neighbours.ts";
import { compareSubstitutes } from "./substitutes.ts";

const FAILURES_MAX = 5;

/** How often a long run says how far it is, so that one which is ended early has been of use. */
const SEEDS_BETWEEN_LINES = 10;

/** Runs the program of a seed; how many operations were compared. */
type Comparison = (seed: number) => Promise<number>;

/** Longer programs where processes have to be started for each. */
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  substitutes: (seed) => compareSubstitutes(seed, 60),
  neighbours: (seed) => compareNeighbours(seed, 300, "two processes"),
  "neighbours in one process": (seed) => compareNeighbours(seed, 60, "one process"),
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      operations: { type: "string", default: "2000" },
      first: { type: "string", default: "1" },
      seed: { type: "string" },
      only: { type: "string" },
    },
  });
  const names = Object.keys(COMPARISONS).filter((name) => name === (values.only ?? name));
  if (names.length === 0) throw new TypeError(`Cannot compare ${JSON.stringify(values.only)}`);
  const isOne = values.seed !== undefined;
  const wanted = isOne ? 1 : Math.ceil(Number(values.operations) / names.length);
  let failures = 0;
  for (const name of names) {
    failures += await compareMany(
      name,
      Number(values.seed ?? values.first),
      wanted,
      isOne ? 1 : FAILURES_MAX,
    );
  }
  return failures === 0 ? 0 : 1;
}

/** Takes one seed after the other until `wanted` operations were compared or too many differ; how many seeds do. */
async function compareMany(
  name: string,
  first: number,
  wanted: number,
  failuresMax: number,
): Promise<number> {
  let [operations, seed, failures] = [0, first, 0];
  const say = () =>
    console.log(
      `${name}: ${operations} operations compared, seeds ${first} to ${
        seed - 1
      }, ${failures} differ`,
    );
  while (operations < wanted && failures < failuresMax) {
    try {
      operations += await COMPARISONS[name]!(seed);
    } catch (error) {
      failures++;
      console.log(`${name}, seed ${seed}: ${messageOf(error).slice(0, 2000)}`);
    }
    if (++seed % SEEDS_BETWEEN_LINES === 0) say();
  }
  say();
  return failures;
}

if (import.meta.main) Deno.exit(await main());
