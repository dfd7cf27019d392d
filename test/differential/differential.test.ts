/**
 * Random programs, compared after each operation: by the two task managers, and by two managers on one queue.
 *
 * `deno task differential` takes any number of operations.
 */
import { assertEquals } from "@std/assert";
import { compareNeighbours } from "./neighbours.ts";
import { compareSubstitutes } from "./substitutes.ts";
import { effort } from "../support/effort.ts";
import { programTest } from "../support/thorough.ts";

Deno.test("the task managers take each other's place: random programs do not tell them apart", async () => {
  const length = 40;
  for (let seed = 1; seed <= effort("substituteSeeds"); seed++) {
    assertEquals(await compareSubstitutes(seed, length), length + 1);
  }
});

for (
  const [where, register] of [["two processes", programTest], ["one process", Deno.test]] as const
) {
  register(
    `two managers on one queue in ${where}: both say what the queue says, and work is begun where it was given, once`,
    async () => {
      const length = effort("neighbourOperations");
      for (let seed = 1; seed <= effort("neighbourSeeds"); seed++) {
        assertEquals(await compareNeighbours(seed, length, where), length + 1);
      }
    },
  );
}
