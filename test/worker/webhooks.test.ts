/**
 * Delivering webhooks: signatures, answers, and where they may not go.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  HandlerRegistry,
  openQueue,
  registerWebhooks,
  type Task,
  type TaskQueue,
  WEBHOOK_TYPE,
  type WebhookOptions,
  Worker,
} from "../../src/mod.ts";
import { isPublicAddress } from "../../src/worker/public_address.ts";
import { until } from "../support/until.ts";
import { expectedSignature, WebhookReceiver } from "../support/webhook_receiver.ts";

const SECRET = "a secret of the two of us";

/** Tells `url` of a task that was cancelled, in one attempt; the delivery as it is then, and its attempt's answer. */
async function deliver(url: string, options: Partial<WebhookOptions> = {}): Promise<Task> {
  const queue = await openQueue({ memory: true });
  const handlers = new HandlerRegistry();
  registerWebhooks(handlers, { secret: SECRET, allowedHosts: [], ...options });
  const worker = new Worker({ queue, handlers });
  try {
    const { task } = await queue.enqueue({ type: "t", runId: "r1", webhook: { url } });
    await queue.cancel(task.id);
    worker.start();
    return await attempted(queue);
  } finally {
    await worker.stop();
    await queue.close();
  }
}

/** The delivery, once an attempt has ended. */
async function attempted(queue: TaskQueue): Promise<Task> {
  let found: Task | undefined;
  await until(async () => {
    const [delivery] = await queue.list({ type: WEBHOOK_TYPE });
    found = delivery;
    return delivery!.attempts > 0 && delivery!.status !== "leased";
  }, "an attempt");
  return found!;
}

Deno.test("a delivery is signed over its time and body, and names itself", async () => {
  await using receiver = new WebhookReceiver();
  const atMs = Date.UTC(2026, 0, 1, 12);
  const clock = { nowMs: () => atMs, setTimer: () => () => {} };
  const host = `127.0.0.1:${receiver.port}`;
  const delivery = await deliver(`http://${host}/hook`, {
    allowedHosts: [host, "127.0.0.1"],
    clock,
  });
  assertEquals([delivery.status, delivery.result, delivery.attempts], [
    "completed",
    { status: 204 },
    1,
  ]);
  assertEquals(receiver.received.length, 1);
  const { headers, body, path } = receiver.received[0]!;
  const message = JSON.parse(body);
  assertEquals([path, message.event, message.task.run_id], ["/hook", "task.cancelled", "r1"]);
  assert(!("url" in message));
  const timestamp = headers.get("x-holdfast-timestamp")!;
  assertEquals(timestamp, String(atMs / 1000));
  assertEquals(
    headers.get("x-holdfast-signature"),
    expectedSignature(receiver.received[0]!, SECRET),
  );
  assertEquals(headers.get("x-holdfast-delivery"), delivery.runId);
  assertEquals(headers.get("content-type"), "application/json");
});

for (
  const [status, end] of [
    [200, "completed"],
    [301, "failed"],
    [302, "failed"],
    [400, "failed"],
    [404, "failed"],
    [410, "failed"],
    [408, "queued"],
    [429, "queued"],
    [500, "queued"],
    [503, "queued"],
  ] as const
) {
  Deno.test(`an answer of ${status} leaves the delivery ${end}`, async () => {
    await using receiver = new WebhookReceiver();
    receiver.answer = () =>
      new Response(null, { status, headers: { location: `http://127.0.0.1:${receiver.port}/2` } });
    const host = `127.0.0.1:${receiver.port}`;
    const delivery = await deliver(`http://${host}/1`, { allowedHosts: [host, "127.0.0.1"] });
    assertEquals([delivery.status, delivery.attempts], [end, 1]);
    if (end !== "completed") assert(delivery.errorMessage!.includes(`answered ${status}`));
    assertEquals(receiver.received.map(({ path }) => path), ["/1"]);
  });
}

Deno.test("Retry-After is heeded", async () => {
  await using receiver = new WebhookReceiver();
  receiver.answer = () => new Response(null, { status: 429, headers: { "retry-after": "3600" } });
  const host = `127.0.0.1:${receiver.port}`;
  const delivery = await deliver(`http://${host}/`, { allowedHosts: [host, "127.0.0.1"] });
  const waitMs = delivery.runAfter.getTime() - delivery.updatedAt.getTime();
  assertEquals([delivery.status, waitMs], ["queued", 3_600_000]);
});

Deno.test("Retry-After does not shorten the backoff", async () => {
  await using receiver = new WebhookReceiver();
  receiver.answer = () => new Response(null, { status: 503, headers: { "retry-after": "0" } });
  const host = `127.0.0.1:${receiver.port}`;
  const delivery = await deliver(`http://${host}/`, { allowedHosts: [host, "127.0.0.1"] });
  const waitMs = delivery.runAfter.getTime() - delivery.updatedAt.getTime();
  assertEquals([delivery.status, delivery.attempts], ["queued", 1]);
  assert(waitMs >= 4500, `${waitMs} ms`);
});

Deno.test("no answer in time is tried again", async () => {
  await using receiver = new WebhookReceiver();
  const silent = Promise.withResolvers<Response>();
  receiver.answer = () => silent.promise;
  const host = `127.0.0.1:${receiver.port}`;
  const options = { allowedHosts: [host, "127.0.0.1"], timeoutMs: 100 };
  const delivery = await deliver(`http://${host}/`, options);
  assertEquals(delivery.status, "queued");
  assert(delivery.errorMessage!.includes("no answer within 100 ms"), delivery.errorMessage!);
  silent.resolve(new Response());
});

Deno.test("nobody there is tried again", async () => {
  const receiver = new WebhookReceiver();
  const host = `127.0.0.1:${receiver.port}`;
  await receiver[Symbol.asyncDispose]();
  const delivery = await deliver(`http://${host}/`, { allowedHosts: [host, "127.0.0.1"] });
  assertEquals(delivery.status, "queued");
});

Deno.test("a host that is not listed is never told", async () => {
  await using receiver = new WebhookReceiver();
  const host = `127.0.0.1:${receiver.port}`;
  for (const allowedHosts of [[], ["127.0.0.1"], ["example.com"], [`localhost:${receiver.port}`]]) {
    const delivery = await deliver(`http://${host}/`, { allowedHosts });
    assertEquals(delivery.status, "failed");
    assert(delivery.errorMessage!.includes("not among the allowed hosts"));
  }
  assertEquals(receiver.received, []);
});

Deno.test("a listed name with a private address is notified only if the address is listed, alone or with its port", async () => {
  await using receiver = new WebhookReceiver();
  const { port } = receiver;
  const url = `http://localhost:${port}/`;
  for (const address of [[], ["127.0.0.1:1", "[::1]:1"]]) {
    const delivery = await deliver(url, { allowedHosts: [`localhost:${port}`, ...address] });
    assertEquals(delivery.status, "failed");
    assert(delivery.errorMessage!.includes("list it among the allowed hosts"));
  }
  assertEquals(receiver.received, []);
  for (const address of [["127.0.0.1", "::1"], [`127.0.0.1:${port}`, `[::1]:${port}`]]) {
    const allowedHosts = [`localhost:${port}`, ...address];
    assertEquals((await deliver(url, { allowedHosts })).status, "completed");
  }
  assertEquals(receiver.received.length, 2);
});

Deno.test("a private address that is listed with its port is told, and only at this port", async () => {
  await using receiver = new WebhookReceiver();
  const host = `127.0.0.1:${receiver.port}`;
  assertEquals((await deliver(`http://${host}/`, { allowedHosts: [host] })).status, "completed");
  assertEquals(receiver.received.length, 1);
  const elsewhere = await deliver("http://127.0.0.1:1/", { allowedHosts: [host] });
  assert(elsewhere.errorMessage!.includes("not among the allowed hosts"), elsewhere.errorMessage!);
});

Deno.test("other spellings of a private address do not help", async () => {
  await using receiver = new WebhookReceiver();
  const { port } = receiver;
  const allowedHosts = [`localhost:${port}`, "127.0.0.1:1", "0x7f.1:1"];
  for (const name of ["2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]) {
    const delivery = await deliver(`http://${name}:${port}/`, { allowedHosts });
    assertEquals(delivery.status, "failed", name);
    assert(delivery.errorMessage!.includes("not among the allowed hosts"), delivery.errorMessage!);
  }
  assertEquals(receiver.received, []);
});

Deno.test("an address is public only if it is known to be", () => {
  const open = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1",
  ];
  const closed = [
    ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"],
    ...["172.31.255.255", "192.168.1.1", "192.0.0.8", "198.18.0.1", "203.0.113.9", "224.0.0.1"],
    ...["255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1"],
    ...["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:7f00:1::", "2001:db8::1", "2001::1"],
    ...["", "example.com", "1.2.3", "1.2.3.256", "fe80::1%eth0", "::ffff:127.0.0.1"],
  ];
  assertEquals(open.filter((address) => !isPublicAddress(address)), []);
  assertEquals(closed.filter(isPublicAddress), []);
});

Deno.test("registerWebhooks() refuses a short secret, a strange host and a wrong timeout", () => {
  const register = (options: Partial<WebhookOptions>): void =>
    registerWebhooks(new HandlerRegistry(), { secret: SECRET, allowedHosts: [], ...options });
  assertThrows(() => register({ secret: "short" }), TypeError, "at least 16 characters");
  for (const host of ["https://x.example", "a b", "", "me@x", "x/y"]) {
    assertThrows(() => register({ allowedHosts: [host] }), TypeError, JSON.stringify(host));
  }
  assertThrows(() => register({ timeoutMs: 5 }), RangeError, "webhook timeoutMs");
  register({ allowedHosts: ["x.example", "x.example:8443", "10.0.0.1", "::1", "[::1]:80"] });
});
