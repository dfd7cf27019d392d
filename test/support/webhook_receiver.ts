/**
 * A receiver of webhooks on this machine.
 */
import { createHmac } from "node:crypto";

/** A request as it came. */
export interface ReceivedWebhook {
  readonly headers: Headers;
  readonly body: string;
  readonly path: string;
}

/** Keeps what it receives, and answers what it is told to. */
export class WebhookReceiver implements AsyncDisposable {
  readonly received: ReceivedWebhook[] = [];
  answer: () => Response | Promise<Response> = () => new Response(null, { status: 204 });
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: (): void => {} },
    async (request) => {
      const { pathname: path } = new URL(request.url);
      this.received.push({ headers: request.headers, body: await request.text(), path });
      return await this.answer();
    },
  );

  get port(): number {
    return (this.#server.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The signature that a request must have, as a receiver computes it. */
export function expectedSignature({ headers, body }: ReceivedWebhook, secret: string): string {
  const timestamp = headers.get("x-holdfast-timestamp");
  return `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;
}
