/**
 * Writes a history of 500 runs over and over until it is killed: `endless_history.ts PATH`.
 */
import { createRun, openRunRegistry } from "../../../src/mod.ts";

const registry = await openRunRegistry({ historyPath: Deno.args[0]!, historyDelayMs: 0 });
const runs = Array.from({ length: 500 }, (_, n) => {
  const known = registry.getRun(`r${n}`);
  if (known !== undefined) return known;
  const run = createRun({ runId: `r${n}`, moduleId: "m" });
  registry.addRun(run);
  return run;
});
for (let round = 0;; round++) {
  for (const run of runs) {
    run.progressPercent = round % 100;
    registry.updateRun(run);
  }
  await registry.flush();
  console.log(round);
}
