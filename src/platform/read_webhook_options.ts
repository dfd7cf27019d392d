/**
 * How webhooks are delivered, as it is configured around this process: the secret comes from an environment variable or a
 * file, so that it stands in no list of processes.
 */
import { messageOf, quotePath } from "../domain/errors.ts";
import { decodeText } from "../domain/given_text.ts";
import type { WebhookOptions } from "../worker/webhook_handler.ts";
import type { ProjectConfig } from "../project/project_config.ts";
import { readEnvironment } from "./environment.ts";

/** The environment variable that holds the secret. */
export const WEBHOOK_SECRET_VARIABLE = "HOLDFAST_WEBHOOK_SECRET";

/** What a project says of webhooks. */
export type WebhookConfig = Pick<
  ProjectConfig,
  "webhookAllowedHosts" | "webhookSecretFile" | "webhookTimeoutMs"
>;

/**
 * What `registerWebhooks` takes, by a worker's configuration; `undefined` when no host is allowed: then nothing is delivered.
 *
 * @throws TypeError when there is no secret or there are two, or its file cannot be read.
 */
export async function readWebhookOptions(
  { webhookAllowedHosts, webhookSecretFile, webhookTimeoutMs }: WebhookConfig,
  { env = readEnvironment([WEBHOOK_SECRET_VARIABLE]) }: {
    readonly env?: Readonly<Record<string, string | undefined>>;
  } = {},
): Promise<WebhookOptions | undefined> {
  if (webhookAllowedHosts.length === 0) return undefined;
  const plain = env[WEBHOOK_SECRET_VARIABLE]?.trim() || undefined;
  const secret = await readSecret(plain, webhookSecretFile);
  return { secret, allowedHosts: webhookAllowedHosts, timeoutMs: webhookTimeoutMs };
}

async function readSecret(plain: string | undefined, file: string | undefined): Promise<string> {
  if (file === undefined) {
    if (plain !== undefined) return plain;
    throw refusal(
      `hosts are allowed, but there is no secret: ${WEBHOOK_SECRET_VARIABLE} or a secret file is needed`,
    );
  }
  const name = quotePath(file);
  if (plain !== undefined) {
    throw refusal(`${WEBHOOK_SECRET_VARIABLE} and ${name} are two secrets: one is needed`);
  }
  try {
    return decodeText(await Deno.readFile(file)).trim();
  } catch (thrown) {
    throw refusal(`the secret file ${name} cannot be read: ${messageOf(thrown)}`, thrown);
  }
}

function refusal(reason: string, cause?: unknown): TypeError {
  return new TypeError(`Cannot deliver webhooks: ${reason}`, { cause });
}
