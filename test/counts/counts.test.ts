/**
 * What operations cost, in counts that no clock and no other process can change. A count that changes is a decision:
 * `deno task counts --update` writes it down.
 */
import { assertEquals } from "@std/assert";
import { differences, readExpected } from "./expected_counts.ts";
import { countScenario, SCENARIOS } from "./scenarios.ts";

const HOW_TO_UPDATE = "If that is meant: deno task counts --update";

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(`${name} costs what expected.json says`, async () => {
    const expected = await readExpected();
    const changes = differences(name, expected[name], await countScenario(scenario));
    assertEquals(changes, [], `${changes.join("\n")}\n${HOW_TO_UPDATE}`);
  });
}

Deno.test("expected.json names the operations that are counted, and no others", async () => {
  assertEquals(Object.keys(await readExpected()), Object.keys(SCENARIOS), HOW_TO_UPDATE);
});

Deno.test("1,000 tasks enqueued in a batch and finished at concurrency 32 cost at most 200 fsyncs", async () => {
  const counts = (await readExpected())["1,000 tasks in a batch, finished at concurrency 32"];
  assertEquals(counts !== undefined && counts.fsyncs <= 200, true, `${counts?.fsyncs} fsyncs`);
});

Deno.test("a claim that finds nothing takes no lock and writes nothing", async () => {
  const { fsyncs, journalBytes, locks } = await countScenario(
    SCENARIOS["claim when nothing is there"]!,
  );
  assertEquals({ fsyncs, journalBytes, locks }, { fsyncs: 0, journalBytes: 0, locks: 0 });
});
