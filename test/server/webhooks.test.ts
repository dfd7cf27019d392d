/**
 * Webhooks and retry settings over HTTP: wherever a task is made, and refused by the name of their fields.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { HandlerRegistry, registerWebhooks, type TaskQueue, WEBHOOK_TYPE } from "../../src/mod.ts";
import { ModuleListSchema } from "../../server/modules/schemas.ts";
import { post, read, readError, refusedFields, withApp } from "./fixture.ts";

const PARAMETERS = { to: "ann@example.com" };
const WEBHOOK = { url: "https://hooks.example.com/done", events: ["cancelled"] };
const RETRY_POLICY = { initial_delay_ms: 5, multiplier: 3 };

/** Each way to make a task, from its settings; and what a problem's field begins with there. */
const WAYS: readonly (readonly [path: string, prefix: string, (settings: object) => object])[] = [
  ["/api/modules/email/run", "", (settings) => ({ parameters: PARAMETERS, ...settings })],
  ["/api/runs/batch", "runs.0.", (settings) => ({
    runs: [{ module_id: "email", parameters: PARAMETERS, ...settings }],
  })],
  ["/api/queue/enqueue", "", (settings) => ({ type: "t", ...settings })],
  ["/api/queue/enqueue/batch", "tasks.0.", (settings) => ({ tasks: [{ type: "t", ...settings }] })],
];

/** What is told of the only task when it is cancelled. */
async function toldOfCancelling(queue: TaskQueue): Promise<unknown[]> {
  const [task] = await queue.list();
  await queue.cancel(task!.id);
  return (await queue.list({ type: WEBHOOK_TYPE })).map(({ payload }) => payload);
}

for (const [path, prefix, body] of WAYS) {
  Deno.test(`POST ${path} takes a webhook, a retry policy and a timeout`, () =>
    withApp(async ({ app, queue }) => {
      const settings = { webhook: WEBHOOK, retry_policy: RETRY_POLICY, timeout_ms: 7000 };
      const response = await post(app, path, body(settings));
      assertEquals([response.ok, (await response.text()).includes("hooks.example")], [true, false]);
      const [task] = await queue.list();
      assertEquals(task!.timeoutMs, 7000);
      assertEquals(task!.retryPolicy, {
        initialDelayMs: 5,
        multiplier: 3,
        maxDelayMs: 300_000,
      });
      const told = await toldOfCancelling(queue) as { url: string; event: string }[];
      assertEquals(told.map(({ url, event }) => [url, event]), [[WEBHOOK.url, "task.cancelled"]]);
    }));

  Deno.test(`POST ${path} tells only of the ends that its webhook names`, () =>
    withApp(async ({ app, queue }) => {
      await (await post(app, path, body({ webhook: { ...WEBHOOK, events: ["failed"] } }))).text();
      assertEquals(await toldOfCancelling(queue), []);
    }));

  Deno.test(`POST ${path} names what is wrong with a webhook or a retry policy`, () =>
    withApp(async ({ app, queue }) => {
      const long = `https://x.example/${"ü".repeat(1500)}`;
      for (
        const [settings, ...fields] of [
          [{ webhook: "https://x.example" }, "webhook"],
          [{ webhook: {} }, "webhook.url"],
          [{ webhook: { url: "x.example", events: [], more: 1 } }, ...[
            "webhook.events",
            "webhook.more",
            "webhook.url",
          ]],
          [{ webhook: { url: "ftp://x.example", events: ["queued"] } }, ...[
            "webhook.events.0",
            "webhook.url",
          ]],
          [{ webhook: { url: "https://me:secret@x.example" } }, "webhook.url"],
          [{ webhook: { url: long } }, "webhook.url"],
          [{ retry_policy: { initial_delay_ms: -1, multiplier: 0.5, max_delay_ms: 1e9 } }, ...[
            "retry_policy.initial_delay_ms",
            "retry_policy.max_delay_ms",
            "retry_policy.multiplier",
          ]],
          [{ retry_policy: { delay: 1 } }, "retry_policy.delay"],
          [{ timeout_ms: 0 }, "timeout_ms"],
        ] as const
      ) {
        const refused = await refusedFields(await post(app, path, body(settings)));
        assertEquals(refused, fields.map((field) => prefix + field));
      }
      assertEquals(await queue.count(), 0);
    }));
}

Deno.test("what is wrong with a webhook's URL is said in the queue's words", () =>
  withApp(async ({ app }) => {
    const response = await post(app, "/api/queue/enqueue", { type: "t", webhook: { url: "x" } });
    const { detail } = await readError(response, 422, "VALIDATION_ERROR");
    assertStringIncludes(
      detail,
      'webhook.url: Cannot use "x" as webhook url: an http or https URL without user name',
    );
  }));

Deno.test("deliveries are no module, although a worker beside the app makes them", () => {
  const handlers = new HandlerRegistry().register("email", () => null);
  registerWebhooks(handlers, { secret: "a secret of the two of us", allowedHosts: [] });
  return withApp(async ({ app }) => {
    const { modules } = await read(await app.request("/api/modules"), 200, ModuleListSchema);
    assertEquals(modules.map(({ id }) => id), ["email"]);
    for (
      const response of [
        await app.request(`/api/modules/${WEBHOOK_TYPE}`),
        await post(app, `/api/modules/${WEBHOOK_TYPE}/run`, { parameters: {} }),
      ]
    ) {
      await readError(response, 404, "MODULE_NOT_FOUND");
    }
    const reserved = await post(app, "/api/queue/enqueue", { type: WEBHOOK_TYPE });
    const { detail } = await readError(reserved, 422, "VALIDATION_ERROR");
    assertStringIncludes(detail, "reserved");
  }, { handlers });
});
