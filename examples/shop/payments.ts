/**
 * The webhook of a payment service: a signed note that an order is paid. It may come several times.
 */
import { z } from "zod";

/** The header with HMAC-SHA-256 over the body, in hexadecimal digits. */
export const SIGNATURE_HEADER = "X-Payment-Signature";

const Payment = z.object({ event: z.string().min(1), orderId: z.uuid() });

/** What was paid. */
export type Payment = z.infer<typeof Payment>;

/** The payment that a signed body tells of; `undefined` when the signature is not the service's, or the body is none. */
export async function paymentOf(
  body: string,
  signature: string,
  secret: string,
): Promise<Payment | undefined> {
  if (!/^([0-9a-f]{2}){32}$/.test(signature)) return undefined;
  const bytes = Uint8Array.from(signature.match(/../g)!, (digits) => parseInt(digits, 16));
  const text = new TextEncoder().encode(body);
  if (!(await crypto.subtle.verify("HMAC", await keyOf(secret), bytes, text))) return undefined;
  return Payment.safeParse(JSON.parse(body)).data;
}

/** The signature of a body, as the service makes it. */
export async function signatureOf(body: string, secret: string): Promise<string> {
  const text = new TextEncoder().encode(body);
  const signature = await crypto.subtle.sign("HMAC", await keyOf(secret), text);
  return Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = new TextEncoder().encode(secret);
  return await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign", "verify"]);
}
