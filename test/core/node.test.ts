/**
 * `./core` in Node: the contract suites on its queue in memory, and the application of `examples/edge`.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { bundle, contractsHoldIn, run, sqlJsFolder, whyNoNode, withFolder } from "./bundles.ts";

const why = await whyNoNode();
const inNode = (what: string, test: (folder: string) => Promise<void>): void =>
  Deno.test({
    name: `in Node ${what}${why === undefined ? "" : ` (skipped: ${why})`}`,
    ignore: why !== undefined,
    fn: () => withFolder(test),
  });

inNode(
  "the contract suites hold for a queue of ./core in memory",
  (folder) => contractsHoldIn("node", folder),
);

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
