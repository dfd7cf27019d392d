// deno-lint-ignore-file explicit-function-return-type -- this is JavaScript
/**
 * The application in Node 20 or newer, asked without a socket; `app.fetch` is what a server for fetch handlers takes. Beside it is
 * `edge.mjs`, which `bundle.ts` says how to make.
 *
 * ```sh
 * node node.mjs node_modules/sql.js/dist
 * ```
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const { loadSqlEngine, openEdge } = await import(new URL("edge.mjs", import.meta.url).href);
const folder = process.argv[2];
const initSqlJs = createRequire(import.meta.url)(`${folder}/sql-wasm.js`);
const engine = await loadSqlEngine(initSqlJs, await readFile(`${folder}/sql-wasm.wasm`));
const { app, close } = await openEdge({ engine });

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
  return await answer.json();
}

async function ended(runId) {
  const path = `/tasks/api/runs/${encodeURIComponent(runId)}?wait=30s`;
  let answer = await app.request(path);
  while (answer.status === 404) { // a schedule's run is there when it fires
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await app.request(path);
  }
  const { status, result } = await answer.json();
  return `${status} ${JSON.stringify(result)}`;
}

console.log(await (await app.request("/")).text());
const counted = await post("/tasks/api/modules/count_words/run", {
  parameters: { text: "one two three" },
});
console.log(await ended(counted.run_id));
const schedule = await post("/tasks/api/schedules", { id: "tidy", type: "tidy", every_ms: 60_000 });
console.log(await ended(`${schedule.id}@${schedule.next_at}`));
await close();
