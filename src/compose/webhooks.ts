/**
 * Webhooks for a worker's handlers: where the handler meets the network.
 */
import { sendWebhook } from "../platform/send_webhook.ts";
import type { HandlerRegistry } from "../worker/handler_registry.ts";
import { registerWebhookHandler, type WebhookOptions } from "../worker/webhook_handler.ts";

/**
 * Lets workers with these handlers deliver webhooks (`NewTask.webhook`). They need `--allow-net` for the hosts, without port,
 * and for the addresses that these have.
 *
 * @throws TypeError, RangeError when an option is out of its range.
 */
export function registerWebhooks(handlers: HandlerRegistry, options: WebhookOptions): void {
  registerWebhookHandler(handlers, options, sendWebhook);
}
