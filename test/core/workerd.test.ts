/**
 * The application of `examples/edge` in workerd, the runtime of Cloudflare's workers, with its queue in a Durable Object.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { until } from "../support/until.ts";
import { bundle, sqlJsFolder, whyNoWorkerd, withFolder, workerdPath } from "./bundles.ts";

const why = whyNoWorkerd();

Deno.test({
  name: `in workerd a task, its handler and a schedule run, and outlive a kill${
    why === undefined ? "" : ` (skipped: ${why})`
  }`,
  ignore: why !== undefined,
  fn: () =>
    withFolder(async (folder) => {
      await fill(folder);
      const program = await workerdPath();
      const runId = await withWorkerd(program, folder, async (url) => {
        assertEquals(await (await fetch(url)).text(), "The application's own page");
        const { run_id } = await post(`${url}/tasks/api/modules/count_words/run`, {
          parameters: { text: "one two three" },
        });
        assertEquals(await ended(url, run_id), { status: "completed", result: { words: 3 } });
        const schedule = { id: "tidy", type: "tidy", every_ms: 3_600_000 };
        const { next_at } = await post(`${url}/tasks/api/schedules`, schedule);
        const tidied = { status: "completed", result: { tidied: true } };
        assertEquals(await ended(url, `tidy@${next_at}`), tidied);
        return run_id;
      });
      await withWorkerd(program, folder, async (url) => {
        assertEquals(await ended(url, runId), { status: "completed", result: { words: 3 } });
        const { schedules } = await (await fetch(`${url}/tasks/api/schedules`)).json();
        assertEquals(schedules.length, 1);
      });
    }),
});

/** What `docs/edge.md` puts into the folder. */
async function fill(folder: string): Promise<void> {
  await bundle("examples/edge/bundle.ts", join(folder, "edge.mjs"));
  const sqlJs = await sqlJsFolder();
  await Deno.copyFile(join(sqlJs, "sql-wasm.js"), join(folder, "sql-wasm.cjs"));
  await Deno.copyFile(join(sqlJs, "sql-wasm.wasm"), join(folder, "sql-wasm.wasm"));
  await Deno.copyFile("examples/edge/workerd.capnp", join(folder, "workerd.capnp"));
  await Deno.mkdir(join(folder, "objects"));
}

/** Runs `test` with the address of workerd; kills it then. */
async function withWorkerd<T>(
  program: string,
  folder: string,
  test: (url: string) => Promise<T>,
): Promise<T> {
  const port = freePort();
  const process = new Deno.Command(program, {
    args: ["serve", "workerd.capnp", `--socket-addr=http=127.0.0.1:${port}`],
    cwd: folder,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  try {
    const url = `http://127.0.0.1:${port}`;
    await until(() => isAnswering(url), "workerd to answer");
    return await test(url);
  } finally {
    process.kill("SIGKILL");
    await process.status;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function isAnswering(url: string): Promise<boolean> {
  return await fetch(url).then((answer) => answer.text()).then(() => true, () => false);
}

// deno-lint-ignore no-explicit-any
async function post(url: string, body: unknown): Promise<any> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return await answer.json();
}

/** How a run has ended, once it is there and has. */
async function ended(url: string, runId: string): Promise<unknown> {
  let answer = { status: "queued", result: null };
  await until(async () => {
    const got = await fetch(`${url}/tasks/api/runs/${encodeURIComponent(runId)}?wait=10s`);
    answer = await got.json();
    return got.ok && answer.status === "completed";
  }, `run ${runId}`);
  return { status: answer.status, result: answer.result };
}
