/**
 * `./core` in Bun: the contract suites on its queue in memory, the application of `examples/edge`; and what the main export says there.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { bundle, contractsHoldIn, findBun, run, sqlJsFolder, withFolder } from "./bundles.ts";

const bun = await findBun();
const isMissing = bun.startsWith(":");
const inBun = (what: string, test: (folder: string) => Promise<void>): void =>
  Deno.test({
    name: `in Bun ${what}${isMissing ? ` (skipped: ${bun.slice(1)})` : ""}`,
    ignore: isMissing,
    fn: () => withFolder(test),
  });

inBun(
  "the contract suites hold for a queue of ./core in memory",
  (folder) => contractsHoldIn(bun, folder),
);

inBun(
  "the application of examples/edge runs a task by HTTP, and one by a schedule",
  async (folder) => {
    await bundle("examples/edge/bundle.ts", join(folder, "edge.mjs"));
    await Deno.copyFile("examples/edge/node.mjs", join(folder, "node.mjs"));
    const said = (await run(bun, [join(folder, "node.mjs"), await sqlJsFolder()])).split("\n");
    assertEquals(said.slice(0, 3), [
      "The application's own page",
      'completed {"words":3}',
      'completed {"tidied":true}',
    ]);
  },
);

inBun("the library says in one sentence what it cannot do", async () => {
  await assertRejects(
    () => run(bun, ["src/mod.ts"]),
    Error,
    "error: Holdfast needs Deno, whose files, locks and processes it uses",
  );
});
