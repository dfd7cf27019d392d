/**
 * `holdfast worker --url`: a worker without a database, in this process and as a process that is killed.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createApp, createToken, parseTokens, type Scope, tokenAccess } from "../../server/app.ts";
import { openLogStore, openQueue } from "../../src/mod.ts";
import { until } from "../support/until.ts";
import { commandOf, HANDLERS, holdfast, Listener, Scratch } from "./cli_harness.ts";

/** Runs `test` with a server on a scratch queue, and with a token of these scopes. */
async function withServer(
  scopes: readonly Scope[],
  test: (scratch: Scratch, server: readonly string[]) => Promise<void>,
): Promise<void> {
  await using scratch = new Scratch();
  const queue = await openQueue(scratch.db);
  const logs = openLogStore(scratch.db);
  const { token, line } = await createToken("worker", scopes);
  const closing = new AbortController();
  const app = createApp({
    queue,
    logs,
    access: tokenAccess(await parseTokens(line)),
    closing: closing.signal,
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  try {
    await test(scratch, ["--url", `http://127.0.0.1:${server.addr.port}`, "--token", token]);
  } finally {
    closing.abort();
    await server.shutdown();
    await logs.close();
    await queue.close();
  }
}

Deno.test("a worker at a server does what one at the files does, and says the same", () =>
  withServer(["read", "operate"], async (scratch, server) => {
    for (const type of ["echo", "broken", "strict.number"]) {
      await scratch.run(["enqueue", type, "--run-id", type, "--payload", '{"n":7}']);
    }
    const { code, out, err } = await holdfast([
      ...server,
      ...["worker", "--handlers", HANDLERS, "--until-empty", "--worker-id", "far", "--json"],
    ]);
    assertEquals(code, 0, err);
    const { completed, failed, worker_id } = JSON.parse(out);
    assertEquals([completed, failed, worker_id], [2, 1, "far"]);
    const { doc } = await scratch.json(["show", "echo"]);
    assertEquals([doc.status, doc.result, doc.locked_by], [
      "completed",
      { echoed: { n: 7 } },
      "far",
    ]);
    assertMatch((await scratch.run(["logs", "echo"])).out, /info {2}(\[1\] )?echoing/);
    assertStringIncludes((await scratch.run(["logs", "broken"])).out, "it is");
  }));

Deno.test("a token that a worker cannot work with ends it at once, and says what it needs", () =>
  withServer(["read"], async (_scratch, server) => {
    const { code, err } = await holdfast([...server, "worker", "--handlers", HANDLERS]);
    assertEquals(code, 2);
    assertMatch(err, /^holdfast: Cannot act on "[^"]+": .*scope operate is needed.*\n$/);
    const room = await holdfast([
      ...server,
      ...["worker", "--handlers", HANDLERS, "--memory-max", "1M"],
    ]);
    assertEquals(room.code, 2);
    assertStringIncludes(room.err, "give them where the server runs");
  }));

/** The first attempt never ends, the second does. */
const HANDLER_CODE = `
export function stubborn(_task, { attempt }) {
  if (attempt > 1) return "in attempt " + attempt;
  return new Promise(() => setInterval(() => {}, 1000));
}
export const quick = () => "done";
`;

Deno.test("workers and their server are killed: what they had is done by others, once", async () => {
  await using scratch = new Scratch();
  await using place = await Deno.makeTempFile({ suffix: ".js" }).then((path) => ({
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path),
  }));
  await Deno.writeTextFile(place.path, HANDLER_CODE);
  const { token, line } = await createToken("worker", ["read", "operate"]);
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const start = (args: readonly string[], env: Readonly<Record<string, string>>): Running =>
    new Running(args, env);
  const serve = (): Running =>
    start(["--db", scratch.db, "serve", "--no-worker", "--port", String(port)], {
      HOLDFAST_TOKENS: line,
    });
  const work = (id: string): Running =>
    start(["worker", "--handlers", place.path, "--worker-id", id, "--lease-ms", "1000"], {
      HOLDFAST_URL: url,
      HOLDFAST_TOKEN: token,
    });
  const queue = await openQueue(scratch.db);
  await using server = serve();
  await server.err.until("listening on");
  await using doomed = work("doomed");
  const { task: { id } } = await queue.enqueue({ type: "stubborn" });
  await until(async () => (await queue.get(id))?.lockedBy === "doomed", "the first attempt");
  await doomed.kill();
  await using heir = work("heir");
  await heir.err.until("executes");
  await server.kill();
  const others = await queue.enqueueBatch([{ type: "quick" }, { type: "quick" }]);
  await using _next = serve();
  const ids = [id, ...others.map(({ task }) => task.id)];
  for (const each of ids) {
    await until(async () => (await queue.get(each))?.status === "completed", `task ${each}`);
  }
  const done = await Promise.all(ids.map(async (each) => (await queue.get(each))!));
  assertEquals(done.map(({ lockedBy, attempts }) => [lockedBy, attempts]), [
    ["heir", 2],
    ["heir", 1],
    ["heir", 1],
  ]);
  assertEquals(done[0]!.result, "in attempt 2");
  await queue.close();
});

/** A command in a process of its own, which is killed in the end. */
class Running implements AsyncDisposable {
  readonly err: Listener;
  readonly #child: Deno.ChildProcess;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const streams = { stdin: "null", stdout: "null", stderr: "piped" } as const;
    this.#child = new Deno.Command(Deno.execPath(), { args: commandOf(args), env, ...streams })
      .spawn();
    this.err = new Listener(this.#child.stderr);
  }

  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown; // it has ended already
    }
    await this.#child.status;
    await this.err.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A port at which nothing listens now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
