import { assert, assertEquals } from "@std/assert";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { simulateMoves } from "./moved_folder.ts";
import { effort } from "../support/effort.ts";

const SEEDS = effort("moveSeeds");

/** What all seeds together must have tried to be worth their name. */
const MUST_HAPPEN = [
  "misdeed: a new folder",
  "misdeed: copied back",
  "misdeed: restored",
  "misdeed: journal removed",
  "misdeed: snapshot and journal removed",
  "journals copied over",
  "misdeed: lock files removed",
  "misdeed: snapshot removed",
  "snapshots made anew",
  "lock files opened anew",
  "displacement noticed",
  "checkpoints",
  "killed in a checkpoint",
  "acknowledged",
];

Deno.test(`in ${SEEDS} histories of folders that are moved nothing is lost that was acknowledged afterwards`, async () => {
  const engine = await loadSqlJsEngine();
  const total: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { lost, violations, counts } = await simulateMoves(seed, engine);
    assertEquals({ lost, violations }, { lost: [], violations: [] }, `seed ${seed}`);
    for (const [what, count] of Object.entries(counts)) total[what] = (total[what] ?? 0) + count;
  }
  console.log(`moved folders: ${JSON.stringify(total)}`);
  for (const what of MUST_HAPPEN) assert((total[what] ?? 0) > 0, `nothing was tried of: ${what}`);
});
