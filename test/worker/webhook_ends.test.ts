/**
 * Deliveries always end: whatever a receiver does with the connection, the promise settles and the socket is closed.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HandlerRegistry, registerWebhooks, WEBHOOK_TYPE } from "../../src/mod.ts";
import { sendWebhook } from "../../src/platform/send_webhook.ts";
import type { WebhookRequest, WebhookResponse } from "../../src/worker/webhook_handler.ts";

/** Long enough that no answer comes late under load, where an answer is what is waited for. */
const PATIENT_MS = 20_000;

/** Sends to a receiver that answers with these bytes, then hangs up or stays silent; also waits for the socket's end. */
async function sendTo(
  { answer, hangsUp = false, onHeard = () => {}, ...request }: Partial<WebhookRequest> & {
    readonly answer: string;
    readonly hangsUp?: boolean;
    readonly onHeard?: () => void;
  },
): Promise<WebhookResponse> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = serveOnce(listener, { answer, hangsUp, onHeard });
  const url = new URL(`http://127.0.0.1:${listener.addr.port}/`);
  const { signal } = new AbortController();
  const base = { url, headers: {}, body: "{}", timeoutMs: PATIENT_MS, signal };
  try {
    return await sendWebhook({ ...base, isAllowedAddress: () => true, ...request });
  } finally {
    await served;
  }
}

async function serveOnce(
  listener: Deno.TcpListener,
  { answer, hangsUp, onHeard }: {
    readonly answer: string;
    readonly hangsUp: boolean;
    readonly onHeard: () => void;
  },
): Promise<void> {
  using socket = await listener.accept();
  const buffer = new Uint8Array(4096);
  await socket.read(buffer);
  onHeard();
  await socket.write(new TextEncoder().encode(answer));
  if (hangsUp) return;
  try {
    while (await socket.read(buffer) !== null);
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\n";

for (
  const [name, answer] of [
    ["to a web socket", `${SWITCHING}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`],
    ["and sends what follows", `${SWITCHING}Upgrade: x\r\nConnection: Upgrade\r\n\r\nmore bytes`],
    ["without saying to which", `${SWITCHING}\r\n`],
  ] as const
) {
  Deno.test(`sendWebhook() ends when the receiver switches protocols ${name}`, async () => {
    assertEquals((await sendTo({ answer })).status, 101);
  });
}

for (
  const [name, answer] of [
    ["at once", ""],
    ["in the middle of its head", "HTTP/1.1 200 OK\r\nContent-Le"],
    ["after an early hint", "HTTP/1.1 103 Early Hints\r\n\r\n"],
    ["after what is not HTTP", "hello\r\n\r\n"],
  ] as const
) {
  Deno.test(`sendWebhook() ends when the receiver hangs up ${name}`, async () => {
    const failure = await assertRejects(() => sendTo({ answer, hangsUp: true }));
    assert(failure instanceof Error && !failure.message.includes("no answer within"), `${failure}`);
  });
}

for (
  const [name, answer] of [
    ["says nothing", ""],
    ["stays in the middle of its head", "HTTP/1.1 200 OK\r\nContent-Le"],
    ["only gives a hint", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ] as const
) {
  Deno.test(`sendWebhook() ends at its time when the receiver ${name}`, async () => {
    await assertRejects(() => sendTo({ answer, timeoutMs: 100 }), Error, "no answer within 100 ms");
  });
}

Deno.test("sendWebhook() ends when it is interrupted, also before it begins", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const sending = sendWebhook({
    url: new URL("http://127.0.0.1:1/"),
    headers: {},
    body: "",
    timeoutMs: PATIENT_MS,
    signal: AbortSignal.abort(),
    isAllowedAddress: () => true,
  });
  await assertRejects(() => sending, Error, "it was interrupted");
  const begun = sendTo({ answer: "", signal, onHeard: () => controller.abort() });
  await assertRejects(() => begun, Error, "it was interrupted");
});

Deno.test("a delivery's attempt has a time limit of its own, beyond that of sending", () => {
  const handlers = new HandlerRegistry();
  registerWebhooks(handlers, { secret: "x".repeat(16), allowedHosts: [], timeoutMs: 700 });
  assertEquals(handlers.get(WEBHOOK_TYPE)?.timeoutMs, 5700);
});

Deno.test({
  name: "sendWebhook() over https says what NODE_EXTRA_CA_CERTS needs where it is missing",
  // deno task test does not give it
  ignore: (await Deno.permissions.query({ name: "sys" })).state === "granted",
  fn: async () => {
    const name = "NODE_EXTRA_CA_CERTS";
    const before = Deno.env.get(name);
    Deno.env.set(name, "certificates.pem");
    try {
      const url = new URL("https://127.0.0.1:1/");
      const { signal } = new AbortController();
      const base = { url, headers: {}, body: "{}", timeoutMs: PATIENT_MS, signal };
      const { message } = await assertRejects(
        async () => await sendWebhook({ ...base, isAllowedAddress: () => true }),
        Error,
      );
      assert(message.includes("--allow-sys") && message.includes("DENO_TLS_CA_STORE"), message);
    } finally {
      if (before === undefined) Deno.env.delete(name);
      else Deno.env.set(name, before);
    }
  },
});
