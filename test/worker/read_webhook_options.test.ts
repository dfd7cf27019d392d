/**
 * `readWebhookOptions`: off without hosts, and one secret from one place.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { type ProjectConfig, readWebhookOptions, resolveProject } from "../../src/mod.ts";
import { withTemporaryPath } from "../support/queues.ts";

const SECRET = "a secret of the two of us";

/** A worker's configuration that allows one host. */
function allowing(options: Partial<ProjectConfig> = {}): ProjectConfig {
  return resolveProject({ options: { webhookAllowedHosts: ["x.example"], ...options } }).config;
}

Deno.test("readWebhookOptions() gives nothing while no host is allowed, whatever else there is", async () => {
  const config = resolveProject({ options: { webhookSecretFile: "nowhere" } }).config;
  const env = { HOLDFAST_WEBHOOK_SECRET: SECRET };
  assertEquals(await readWebhookOptions(config, { env }), undefined);
});

Deno.test("readWebhookOptions() takes the secret from the environment, or from a file without its line end", () =>
  withTemporaryPath(async (path) => {
    const expected = { secret: SECRET, allowedHosts: ["x.example"], timeoutMs: 10_000 };
    const env = { HOLDFAST_WEBHOOK_SECRET: ` ${SECRET}\n` };
    assertEquals(await readWebhookOptions(allowing(), { env }), expected);
    await Deno.writeTextFile(path, `\uFEFF${SECRET}\r\n`);
    const config = allowing({ webhookSecretFile: path, webhookTimeoutMs: 500 });
    assertEquals(await readWebhookOptions(config, { env: {} }), { ...expected, timeoutMs: 500 });
  }));

Deno.test("readWebhookOptions() refuses no secret, two, and a file that is missing, and repeats none", async () => {
  const env = { HOLDFAST_WEBHOOK_SECRET: SECRET };
  const file = allowing({ webhookSecretFile: "no such.secret" });
  for (
    const [config, variables, message] of [
      [allowing(), {}, "there is no secret: HOLDFAST_WEBHOOK_SECRET or a secret file is needed"],
      [allowing(), { HOLDFAST_WEBHOOK_SECRET: " " }, "there is no secret"],
      [file, env, 'HOLDFAST_WEBHOOK_SECRET and "no such.secret" are two secrets'],
      [file, {}, 'the secret file "no such.secret" cannot be read: '],
    ] as const
  ) {
    const read = (): Promise<unknown> => readWebhookOptions(config, { env: variables });
    const error = await assertRejects(read, TypeError, message);
    assertEquals(error.message.includes(SECRET), false);
  }
});
