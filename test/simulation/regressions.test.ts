import { assertEquals } from "@std/assert";
import { MUTANTS } from "../mutants/mutants.ts";
import { REGRESSIONS } from "./regressions.ts";
import { scriptOf } from "./script.ts";
import { simulate } from "./simulation.ts";

for (const { seed, found, mutant } of REGRESSIONS) {
  Deno.test(`stays repaired: ${found}`, async () => {
    assertEquals(MUTANTS.filter(({ name }) => name === mutant).length, 1, mutant);
    const { violations } = await simulate(scriptOf(seed));
    assertEquals(violations, [], `seed ${seed}`);
  });
}
