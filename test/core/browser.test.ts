/**
 * The application of `examples/edge` in a browser's tab, with the queue in its memory.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { startBrowser, whyNoBrowser } from "../support/browser.ts";
import { bundle, sqlJsFolder, withFolder } from "./bundles.ts";

const why = whyNoBrowser();

/** Loads SQLite, opens the application, and runs a task by its API. */
const IN_TAB = `(async () => {
  const { loadSqlEngine, openEdge } = await import("/edge.mjs");
  const wasm = await (await fetch("/sql-wasm.wasm")).arrayBuffer();
  const { app, close } = await openEdge({ engine: await loadSqlEngine(initSqlJs, wasm) });
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ parameters: { text: "one two three" } });
  const path = "/tasks/api/modules/count_words/run";
  const run = await (await app.request(path, { method: "POST", headers, body })).json();
  const ended = await app.request("/tasks/api/runs/" + run.run_id + "?wait=30s");
  const { status, result } = await ended.json();
  await close();
  return { status, result };
})()`;

Deno.test({
  name: `in a browser's tab a task and its handler run${
    why === undefined ? "" : ` (skipped: ${why})`
  }`,
  ignore: why !== undefined,
  fn: () =>
    withFolder(async (folder) => {
      await bundle("examples/edge/bundle.ts", join(folder, "edge.mjs"));
      const places: Readonly<Record<string, string>> = {
        "/edge.mjs": join(folder, "edge.mjs"),
        "/sql-wasm.js": join(await sqlJsFolder(), "sql-wasm.js"),
        "/sql-wasm.wasm": join(await sqlJsFolder(), "sql-wasm.wasm"),
      };
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async ({ url }) => await answer(places[new URL(url).pathname]),
      );
      try {
        await using browser = startBrowser();
        await browser.do("open", {});
        await browser.do("goto", `http://127.0.0.1:${server.addr.port}/`);
        const ended = await browser.do("evaluate", IN_TAB);
        assertEquals(ended, { status: "completed", result: { words: 3 } });
        assertEquals(await browser.do("problems"), []);
      } finally {
        await server.shutdown();
      }
    }),
});

async function answer(path: string | undefined): Promise<Response> {
  const [type, body] = path === undefined
    ? [
      "text/html",
      `<!doctype html><link rel="icon" href="data:,"><script src="/sql-wasm.js"></script>`,
    ]
    : [path.endsWith(".wasm") ? "application/wasm" : "text/javascript", await Deno.readFile(path)];
  return new Response(body, { headers: { "content-type": type } });
}
