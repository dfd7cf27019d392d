/**
 * Webhooks from end to end: real processes that serve and work, and a receiver that checks what it is told.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "../support/until.ts";
import { expectedSignature, WebhookReceiver } from "../support/webhook_receiver.ts";
import { HANDLERS, holdfastProcess, type Json, Listener, Scratch } from "./cli_harness.ts";

const SECRET = "a secret of the two of us";

/** A program in a process of its own; disposing of it stops it and waits for its end. */
class Running implements AsyncDisposable {
  readonly err: Listener;
  readonly #child: Deno.ChildProcess;

  constructor(args: readonly string[]) {
    this.#child = holdfastProcess(args, { stdout: "null" }).spawn();
    this.err = new Listener(this.#child.stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.err.ended;
  }
}

/** Writes what a worker's configuration says of webhooks; the option that names it. */
async function configure(scratch: Scratch, hosts: readonly string[]): Promise<string[]> {
  await Deno.writeTextFile(scratch.path("webhook.secret"), `${SECRET}\n`);
  await Deno.writeTextFile(
    scratch.path("worker.yaml"),
    JSON.stringify({
      webhook_allowed_hosts: hosts,
      webhook_secret_file: scratch.path("webhook.secret"),
      webhook_timeout_ms: 5000,
    }),
  );
  return ["--config", scratch.path("worker.yaml")];
}

/** The latest delivery, once an attempt has ended. */
async function attempted(scratch: Scratch): Promise<Json> {
  let delivery: Json;
  await until(
    async () => {
      const { doc } = await scratch.json(["list", "--type", "holdfast.webhook", "--limit", "1"]);
      [delivery] = doc.tasks;
      return delivery !== undefined && delivery.attempts > 0 && delivery.status !== "leased";
    },
    "a delivery",
    20_000,
  );
  return delivery;
}

async function enqueueOverHttp(url: string, body: unknown): Promise<void> {
  const response = await fetch(`${url}/api/modules/echo/run`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assertEquals(response.status, 202, await response.text());
}

Deno.test("a served queue tells a receiver of tasks from HTTP and the command line, signed", async () => {
  await using scratch = new Scratch();
  await using receiver = new WebhookReceiver();
  const host = `127.0.0.1:${receiver.port}`;
  const config = await configure(scratch, ["127.0.0.1", host]);
  const serve = ["--db", scratch.db, "serve", "--port", "0", "--handlers", HANDLERS, ...config];
  await using server = new Running(serve);
  await server.err.until("listening on ");
  const url = /listening on (\S+)/.exec(server.err.text)![1]!;

  await enqueueOverHttp(url, { parameters: { n: 1 }, webhook: { url: `http://${host}/http` } });
  const enqueue = ["enqueue", "broken", "--run-id", "from-cli", "--webhook", `http://${host}/cli`];
  assertEquals((await scratch.run([...enqueue, "--webhook-events", "failed"])).code, 0);
  await until(() => receiver.received.length === 2, "two deliveries");

  for (const request of receiver.received) {
    const signature = request.headers.get("x-holdfast-signature");
    assertEquals(signature, expectedSignature(request, SECRET));
    const age = Date.now() / 1000 - Number(request.headers.get("x-holdfast-timestamp"));
    assert(Math.abs(age) < 60, `signed ${age} s ago`);
  }
  const told = new Map(receiver.received.map(({ path, body }) => [path, JSON.parse(body)]));
  const { event, task } = told.get("/http");
  assertEquals([event, task.type, task.status, task.attempts], [
    "task.completed",
    "echo",
    "completed",
    1,
  ]);
  assertEquals(Object.keys(told.get("/http")), ["event", "task"]);
  const failed = told.get("/cli");
  assertEquals([failed.event, failed.task.run_id, failed.task.error_message], [
    "task.failed",
    "from-cli",
    "it is\nbroken",
  ]);
  await until(async () => {
    const args = ["list", "--type", "holdfast.webhook", "--status", "completed"];
    return (await scratch.json(args)).doc.tasks.length === 2;
  }, "two deliveries that are done");
  assertEquals((await attempted(scratch)).result, { status: 204 });
});

Deno.test("a host that is not allowed is not told, and the delivery says why", async () => {
  await using scratch = new Scratch();
  await using receiver = new WebhookReceiver();
  const config = await configure(scratch, ["127.0.0.1", "hooks.example.com"]);
  const work = ["--db", scratch.db, "worker", "--handlers", HANDLERS, ...config];
  const webhook = `http://127.0.0.1:${receiver.port}/`;
  await scratch.run(["enqueue", "echo", "--webhook", webhook]);
  await using worker = new Running(work);
  await worker.err.until("executes ");
  assertStringIncludes(worker.err.text, "holdfast.webhook");
  const delivery = await attempted(scratch);
  assertEquals([delivery.status, delivery.attempts], ["failed", 1]);
  assertEquals(
    delivery.error_message,
    `Cannot tell "127.0.0.1:${receiver.port}": it is not among the allowed hosts`,
  );
  const { out } = await scratch.run(["explain", String(delivery.id)]);
  assertStringIncludes(out, "it is not among the allowed hosts");
  assertEquals(receiver.received, []);
});

Deno.test("a host that Deno may not look up is tried again, and the delivery says what is missing", async () => {
  await using scratch = new Scratch();
  const config = await configure(scratch, ["hooks.example.com"]);
  await scratch.run(["enqueue", "echo", "--webhook", "http://hooks.example.com/"]);
  const work = ["--db", scratch.db, "worker", "--handlers", HANDLERS, ...config];
  await using _worker = new Running(work);
  const delivery = await attempted(scratch);
  assertEquals(delivery.status, "queued");
  assertStringIncludes(delivery.error_message, "give it --allow-net");
});

Deno.test("a worker delivers nothing until hosts are allowed, and may do nothing else", async () => {
  await using scratch = new Scratch();
  await using receiver = new WebhookReceiver();
  const host = `127.0.0.1:${receiver.port}`;
  const environment = { HOLDFAST_WEBHOOK_SECRET: SECRET };
  await scratch.run(["enqueue", "echo", "--webhook", `http://${host}/`]);
  const idle = ["worker", "--handlers", HANDLERS, "--until-empty"];
  assertEquals((await scratch.run(idle, { environment })).code, 0);
  const { doc } = await scratch.json(["list", "--type", "holdfast.webhook"]);
  assertEquals(doc.tasks.map(({ status }: Json) => status), ["queued"]);
  const hosts = ["--webhook-allowed-hosts", host, "127.0.0.1"];
  const { code, err } = await scratch.run(["worker", "--until-empty", ...hosts], { environment });
  assertEquals(code, 0);
  assertMatch(err, /executes holdfast\.webhook$/m);
  assertEquals(receiver.received.length, 1);
});

for (
  const [what, args, environment, message] of [
    ["no secret", [], {}, "hosts are allowed, but there is no secret"],
    ["a short secret", [], { HOLDFAST_WEBHOOK_SECRET: "shortsecret" }, "at least 16 characters"],
    [
      "a missing secret file",
      ["--webhook-secret-file", "nowhere.secret"],
      {},
      'the secret file "nowhere.secret" cannot be read',
    ],
    [
      "two secrets",
      ["--webhook-secret-file", "nowhere.secret"],
      { HOLDFAST_WEBHOOK_SECRET: SECRET },
      "are two secrets: one is needed",
    ],
    [
      "a host that is a URL",
      ["--webhook-allowed-hosts", "https://x.example"],
      {},
      'webhook_allowed_hosts.1: "https://x.example": a host name such as',
    ],
    ["a short timeout", ["--webhook-timeout-ms", "5"], {}, "An integer from 100 to 60000"],
  ] as const
) {
  Deno.test(`worker and serve refuse webhooks with ${what} with 2`, async () => {
    await using scratch = new Scratch();
    for (const command of [["worker"], ["serve", "--port", "0"]]) {
      const line = [...command, "--webhook-allowed-hosts", "x.example", ...args];
      const { code, out, err } = await scratch.run(line, { environment });
      assertEquals([code, out], [2, ""]);
      assertMatch(err, /^holdfast: [^\n]+\n$/);
      assertStringIncludes(err, message);
      for (const secret of [SECRET, "shortsecret"]) assert(!err.includes(secret));
    }
  });
}
