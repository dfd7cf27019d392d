/**
 * `--url`: the same commands against a server. What it answers is what the files say.
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createApp, createToken, parseTokens, tokenAccess } from "../../server/app.ts";
import { type LogStore, openLogStore, openQueue, type TaskQueue } from "../../src/mod.ts";
import {
  HANDLERS,
  holdfast,
  type Json,
  type Outcome,
  Scratch,
  type Surroundings,
} from "./cli_harness.ts";

/** A queue with a task in each of some statuses, and a server before it. */
class Served implements AsyncDisposable {
  readonly scratch: Scratch;
  readonly url: string;
  readonly token: string;
  readonly #queue: TaskQueue;
  readonly #logs: LogStore;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  static async create(): Promise<Served> {
    const scratch = new Scratch();
    await scratch.run(["run", "echo", "--handlers", HANDLERS, "--run-id", "done"]);
    await scratch.run(["run", "broken", "--handlers", HANDLERS, "--run-id", "7"]);
    await scratch.run(["enqueue", "echo", "--run-id", "waiting", "--key", "k"]);
    const { token, line } = await createToken("tests", ["read", "enqueue", "operate", "admin"]);
    const queue = await openQueue(scratch.db);
    const access = tokenAccess(await parseTokens(line));
    const logs = openLogStore(scratch.db);
    const app = createApp({ queue, logs, access });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
    return new Served(scratch, { queue, logs, server, token });
  }

  private constructor(
    scratch: Scratch,
    parts: {
      queue: TaskQueue;
      logs: LogStore;
      server: Deno.HttpServer<Deno.NetAddr>;
      token: string;
    },
  ) {
    this.scratch = scratch;
    this.#queue = parts.queue;
    this.#logs = parts.logs;
    this.#server = parts.server;
    this.token = parts.token;
    this.url = `http://127.0.0.1:${parts.server.addr.port}`;
  }

  /** Runs a command against the server. */
  run(args: readonly string[], surroundings?: Surroundings): Promise<Outcome> {
    return holdfast(["--url", this.url, "--token", this.token, ...args], surroundings);
  }

  async json(args: readonly string[]): Promise<Json> {
    return JSON.parse((await this.run([...args, "--json"])).out);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await this.#logs.close();
    await this.#queue.close();
    await this.scratch[Symbol.asyncDispose]();
  }
}

Deno.test("a server answers what the files say", async () => {
  await using served = await Served.create();
  for (
    const command of [
      ["show", "1"],
      ["show", "run:7"],
      ["show", "waiting", "--history"],
      ["transitions", "2"],
      ["explain", "waiting"],
      ["logs", "done"],
      ["workers"],
      ["health"],
    ]
  ) {
    const remote = await served.run([...command, "--json"]);
    const local = await served.scratch.run([...command, "--json"]);
    assertEquals(remote, local, command.join(" "));
  }
  const { tasks } = await served.json(["list", "--status", "failed", "--limit", "1"]);
  assertEquals(tasks, (await served.scratch.json(["list", "--status", "failed"])).doc.tasks);
  const first = await served.json(["list", "--limit", "2"]);
  assertEquals([first.tasks.length, first.next_cursor], [2, "2"]);
  const last = await served.json(["list", "--limit", "2", "--cursor", first.next_cursor]);
  assertEquals([last.tasks.map(({ id }: Json) => id), last.next_cursor], [[1], null]);
  const { err } = await served.run(["list", "--limit", "2"]);
  assertEquals(err, "2 of 3 tasks; the next ones: --cursor 2\n");
  const [remote, local] = [
    await served.json(["stats"]),
    (await served.scratch.json(["stats"])).doc,
  ];
  assertEquals([remote.by_type, remote.total], [local.by_type, 3]);
});

Deno.test("enqueue, cancel and retry reach the queue behind the server, and a no is a no", async () => {
  await using served = await Served.create();
  const args = ["enqueue", "echo", "--payload", '{"n":1}', "--run-after", "+1h", "--run-id", "new"];
  const { created, task } = await served.json([...args, "--priority", "3"]);
  assertEquals([created, task.run_id, task.priority, task.payload], [true, "new", 3, { n: 1 }]);
  assertEquals((await served.scratch.json(["show", "new"])).doc, task);
  assertEquals((await served.json(["enqueue", "echo", "--key", "k"])).created, false);
  const conflict = await served.run(["enqueue", "echo", "--key", "k", "--payload", "1"]);
  assertEquals([conflict.code, conflict.out], [1, ""]);
  assertEquals((await served.run(["cancel", "new"])).out, `task ${task.id} is cancelled\n`);
  const again = await served.run(["cancel", "new"]);
  assertEquals([again.code, again.out], [1, `task ${task.id} is cancelled already\n`]);
  assertEquals((await served.run(["retry", "new"])).code, 0);
  assertEquals((await served.run(["retry", "done"])).code, 1);
});

Deno.test("a batch is stored behind the server whole or not at all, with what depends on what", async () => {
  await using served = await Served.create();
  const lines = [
    '{"type":"echo","run_id":"parent","compatibility":{"gpu":true}}',
    '{"type":"echo","run_id":"child","depends_on":["parent"],"on_parent_failure":"run"}',
    '{"type":"echo","idempotency_key":"k"}',
  ];
  const files = { "-": lines.join("\r\n") };
  const { code, out } = await served.run(["enqueue", "--batch", "-", "--json"], { files });
  assertEquals(code, 0);
  const { created, existing, tasks } = JSON.parse(out);
  assertEquals([created, existing, tasks.length], [2, 1, 3]);
  assertEquals((await served.json(["show", "parent"])).compatibility, { gpu: true });
  assertStringIncludes((await served.run(["explain", "child"])).out, "waits for");
  const bad = { "-": `${lines[0]}\n{"type":"echo","timeout_ms":0}` };
  assertEquals((await served.run(["enqueue", "--batch", "-"], { files: bad })).code, 2);
  const conflict = { "-": '{"type":"echo","run_id":"new"}\n{"type":"echo","run_id":"parent"}' };
  assertEquals((await served.run(["enqueue", "--batch", "-"], { files: conflict })).code, 1);
  assertEquals((await served.run(["show", "new"])).code, 3);
  const one = await served.json(["enqueue", "echo", "--depends-on", "run:parent"]);
  assertEquals((await served.json(["explain", String(one.task.id)])).reason, "waiting_for_parents");
});

Deno.test("schedules are added, paused, resumed and removed behind the server", async () => {
  await using served = await Served.create();
  const url = "https://hooks.example.com/done";
  const add = ["schedule", "add", "s/1", "echo", "--cron", "30 2 * * *"];
  const settings = [
    ...[
      "--time-zone",
      "Europe/Berlin",
      "--payload",
      "[1]",
      "--priority",
      "3",
      "--max-attempts",
      "2",
    ],
    ...["--catch-up", "all", "--catch-up-max", "7", "--overlap", "--paused"],
    ...["--webhook", url, "--webhook-events", "failed"],
  ];
  const { created, schedule } = await served.json([...add, ...settings]);
  assertEquals(created, true);
  const queue = await openQueue(served.scratch.db);
  const {
    timeZone,
    payload,
    priority,
    maxAttempts,
    catchUp,
    catchUpMax,
    overlap,
    paused,
    webhook,
  } = (await queue.getSchedule("s/1"))!;
  await queue.close();
  assertEquals([timeZone, payload, priority, maxAttempts], ["Europe/Berlin", [1], 3, 2]);
  assertEquals([catchUp, catchUpMax, overlap, paused], ["all", 7, true, true]);
  assertEquals(webhook, { url, events: ["failed"] });
  assertEquals(await served.json(["schedule", "list"]), {
    schedules: [schedule],
    next_cursor: null,
  });
  for (const json of [[], ["--json"]]) {
    const list = ["schedule", "list", ...json];
    assertEquals(await served.run(list), await served.scratch.run(list));
  }
  assertEquals((await served.json([...add, ...settings])).created, false);
  assertEquals((await served.run(add)).code, 1);
  const every = ["schedule", "add", "s/1", "echo", "--every", "5m", "--replace"];
  assertEquals((await served.json(every)).schedule.every_ms, 300_000);
  assertEquals((await served.json(["schedule", "pause", "s/1"])).paused, true);
  assertEquals((await served.json(["schedule", "resume", "s/1"])).paused, false);
  assertEquals(await served.json(["schedule", "remove", "s/1"]), { removed: true });
  for (const act of ["pause", "resume", "remove"]) {
    const gone = await served.run(["schedule", act, "s/1"]);
    assertEquals(gone, await served.scratch.run(["schedule", act, "s/1"]));
    assertEquals([gone.code, gone.err], [3, 'holdfast: there is no schedule "s/1"\n']);
  }
});

Deno.test("prune and checkpoint are done behind the server, and leave the files of this machine alone", async () => {
  await using served = await Served.create();
  await using other = new Scratch();
  const environment = { QUEUE_DB_PATH: other.db };
  const pruned = await served.run(["prune", "--keep", "0", "--status", "failed", "--json"], {
    environment,
  });
  const by_status = { completed: 0, failed: 1, cancelled: 0 };
  assertEquals(JSON.parse(pruned.out), { pruned: 1, by_status });
  assertEquals((await served.scratch.json(["list"])).doc.total, 2);
  const { out } = await served.run(["checkpoint"], { environment });
  assertMatch(out, /^the server's snapshot holds everything up to record \d+ /);
  assert((await served.json(["checkpoint"])).snapshot_bytes > 0);
  await assertRejects(() => Deno.stat(other.db), Deno.errors.NotFound);
});

Deno.test("a webhook, a retry policy and a timeout reach the queue behind the server", async () => {
  await using served = await Served.create();
  const url = "https://hooks.example.com/done";
  const policy = ["--retry-delay", "5ms", "--max-attempts", "2"];
  const { task } = await served.json(["enqueue", "echo", "--webhook", url, ...policy]);
  const line = {
    type: "echo",
    webhook: { url, events: ["cancelled"] },
    retry_policy: {},
    timeout_ms: 7000,
  };
  const files = { "-": JSON.stringify(line) };
  const { code, out } = await served.run(["enqueue", "--batch", "-", "--json"], { files });
  assertEquals(code, 0);
  const ids = [task.id, JSON.parse(out).tasks[0].id];
  const queue = await openQueue(served.scratch.db);
  const stored = await Promise.all(ids.map(async (id) => (await queue.get(id))!));
  await queue.close();
  assertEquals(stored.map(({ retryPolicy }) => retryPolicy!.initialDelayMs), [5, 1000]);
  assertEquals(stored.map(({ timeoutMs }) => timeoutMs), [null, 7000]);
  for (const id of ids) await served.run(["cancel", String(id)]);
  const { tasks } = await served.json(["list", "--type", "holdfast.webhook"]);
  const told = tasks.map(({ payload }: Json) => [payload.url, payload.event, payload.task.id]);
  assertEquals(told, ids.toReversed().map((id) => [url, "task.cancelled", id]));
  const wrong = await served.run(["enqueue", "echo", "--webhook", "ftp://x.example"]);
  assertEquals([wrong.code, wrong.out], [2, ""]);
});

Deno.test("run and logs -f follow a task behind the server to its end", async () => {
  await using served = await Served.create();
  let work: Promise<unknown> = Promise.resolve();
  const { code, out, err } = await served.run(["run", "echo", "--payload", "[1]"], {
    onErr: (text) => {
      if (!text.includes("is queued")) return;
      work = served.scratch.run(["worker", "--handlers", HANDLERS, "--until-empty"]);
    },
  });
  await work;
  assertEquals([code, out], [0, '{"echoed":[1]}\n']);
  assertMatch(err, /^\S+Z info {2}echoing \{"attempt":1\}$/m);
  const followed = await served.run(["logs", "4", "-f"]);
  assertEquals(followed.code, 0);
  assertEquals(followed.out.trimEnd().split("\n").length, 1);
});

Deno.test("a task that is not there ends with 3, whoever is asked", async () => {
  await using served = await Served.create();
  for (const command of ["show", "cancel", "retry", "explain", "logs", "transitions"]) {
    for (const id of ["99", "nobody", "run:99", "99999999999999999999"]) {
      const { code, out, err } = await served.run([command, id]);
      assertEquals([code, out], [3, ""], `${command} ${id}`);
      assertMatch(err, /^holdfast: [^\n]+\n$/);
    }
  }
});

Deno.test("the server and the token may come from the environment; --db takes precedence over it", async () => {
  await using served = await Served.create();
  const environment = { HOLDFAST_URL: served.url, HOLDFAST_TOKEN: served.token };
  assertEquals((await holdfast(["show", "waiting"], { environment })).code, 0);
  await using other = new Scratch();
  await other.makeQueue();
  assertEquals((await other.run(["show", "waiting"], { environment })).code, 3);
});

Deno.test("a wrong token, a wrong field and a server that is none are told in one line", async () => {
  await using served = await Served.create();
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr;
  closed.close();
  await using other = Object.assign(
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("hello")),
  );
  const show = ["show", "1"];
  for (
    const [args, code, said] of [
      [["--url", served.url, ...show], 2, "--token or HOLDFAST_TOKEN"],
      [["--url", served.url, "--token", "x".repeat(30), ...show], 2, "a known token is needed"],
      [["--url", served.url, "--token", "no token!", ...show], 2, "characters"],
      [
        ["--url", `http://127.0.0.1:${port}`, ...show],
        4,
        "does the server run, and is the address right?",
      ],
      [["--url", `http://127.0.0.1:${other.addr.port}`, ...show], 4, "not as Holdfast does"],
      [["--url", "not an address", ...show], 2, "as a server's address"],
      [["--url", "ftp://127.0.0.1", ...show], 2, "as a server's address"],
      [["--url", served.url, "--db", "x.db", ...show], 2, "contradict"],
    ] as const
  ) {
    const outcome = await holdfast(args);
    assertEquals([outcome.code, outcome.out], [code, ""], `${args}: ${outcome.err}`);
    assertStringIncludes(outcome.err, said);
    assertMatch(outcome.err, /^holdfast: [^\n]+\n$/);
    assert(!outcome.err.includes(served.token));
  }
});

Deno.test("commands that work on files refuse --url, and HOLDFAST_URL unless --db names the files", async () => {
  await using scratch = new Scratch();
  await scratch.makeQueue();
  const url = ["--url", "http://127.0.0.1:9"];
  const environment = { HOLDFAST_URL: "http://127.0.0.1:9", QUEUE_DB_PATH: scratch.db };
  for (
    const command of [
      ["serve"],
      ["stats", "--watch"],
      ["run", "echo", "--handlers", HANDLERS],
      ["backup", scratch.path("b")],
      ["restore", scratch.path("b")],
      ["check"],
      ["repair"],
    ]
  ) {
    const { code, err } = await holdfast([...url, ...command], { files: { "-": "" } });
    assertEquals(code, 2, command.join(" "));
    assertStringIncludes(err, "takes no --url");
    const named = await holdfast(command, { environment, files: { "-": "" } });
    assertEquals(named.code, 2, command.join(" "));
    assertStringIncludes(named.err, "name the files by --db PATH, or unset HOLDFAST_URL");
  }
  const keeping = ["schedule", "add", "s", "t", "--every", "5m"];
  for (const asking of [keeping, ["prune", "--keep", "0"], ["checkpoint"]]) {
    assertEquals((await holdfast(asking, { environment })).code, 4, "the server is asked");
  }
  assertEquals((await scratch.json(["schedule", "list"])).doc.schedules, []);
  assertEquals((await scratch.run(["checkpoint"], { environment })).code, 0);
});

Deno.test("token create makes a token that a server knows by its line", async () => {
  const { code, out } = await holdfast([
    "token",
    "create",
    "ci",
    "--scopes",
    "read",
    "enqueue",
    "--json",
  ]);
  const { name, scopes, token, line } = JSON.parse(out);
  assertEquals([code, name, scopes], [0, "ci", ["read", "enqueue"]]);
  assert(!line.includes(token), "only the hash is written down");
  const [record] = await parseTokens(line);
  assertEquals([record!.name, [...record!.scopes]], ["ci", ["read", "enqueue"]]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  assertEquals(new Uint8Array(digest), record!.hash);
  assertEquals((await holdfast(["token", "create", "c i"])).code, 2);
  assertEquals((await holdfast(["token", "create", "ci", "--scopes", "root"])).code, 2);
  const plain = await holdfast(["token", "create", "ci"]);
  assertMatch(plain.out, /^ci read sha256:[0-9a-f]{64}\n$/);
  assertMatch(plain.err, /^token, shown once: hf_\S+\n$/);
});
