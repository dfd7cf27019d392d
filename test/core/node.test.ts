/**
 * `./core` in Node: the contract suites on its queue in memory, and the application of `examples/edge`.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { bundle, run, sqlJsFolder, whyNoNode, withFolder } from "./bundles.ts";

const why = await whyNoNode();
const inNode = (what: string, test: (folder: string) => Promise<void>): void =>
  Deno.test({
    name: `in Node ${what}${why === undefined ? "" : ` (skipped: ${why})`}`,
    ignore: why !== undefined,
    fn: () => withFolder(test),
  });

inNode("the contract suites hold for a queue of ./core in memory", async (folder) => {
  const program = join(folder, "contracts.mjs");
  await bundle("test/core/programs/contracts.ts", program);
  const { passed, failed } = JSON.parse(await run("node", [program, await sqlJsFolder()]));
  assertEquals(failed, []);
  assert(passed > 250, `${passed} behaviours were tried`);
});

inNode(
  "the application of examples/edge runs a task by HTTP, and one by a schedule",
  async (folder) => {
    await bundle("examples/edge/bundle.ts", join(folder, "edge.mjs"));
    await Deno.copyFile("examples/edge/node.mjs", join(folder, "node.mjs"));
    const said = (await run("node", [join(folder, "node.mjs"), await sqlJsFolder()])).split("\n");
    assertEquals(said.slice(0, 3), [
      "The application's own page",
      'completed {"words":3}',
      'completed {"tidied":true}',
    ]);
  },
);
