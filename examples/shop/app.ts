/**
 * A shop that prints pictures: its own pages and sign-in, and durable tasks behind them.
 *
 * An order is a file until it is paid. The payment service's webhook then starts a chain: the print, and after it the invoice. Both
 * have keys of the order, so a note that comes twice starts nothing twice.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { join } from "node:path";
import { createApp } from "../../server/app.ts";
import type { HandlerRegistry, LogStore, TaskQueue } from "../../src/core.ts";
import { orderPage, type OrderView, SCRIPT, signInPage, statusPage } from "./pages.ts";
import { paymentOf, SIGNATURE_HEADER } from "./payments.ts";
import { SignIn } from "./sign_in.ts";
import { makePrint, type ShopFolder, writeInvoice, writeWhole } from "./tasks.ts";

/** What the shop is made of. */
export interface ShopParts extends ShopFolder {
  readonly queue: TaskQueue;
  readonly handlers: HandlerRegistry;
  readonly logs: LogStore;
  /** By customer. */
  readonly passwords: Readonly<Record<string, string>>;
  /** Signs the payment service's notes. */
  readonly paymentSecret: string;
  /** Ends streams, so that a server can shut down. */
  readonly closing?: AbortSignal;
}

/** The largest picture, in bytes. */
const PICTURE_MAX_BYTES = 10 * 1024 * 1024;

const ORDER_ID = "{[0-9a-f-]{36}}";

/** The application. Whoever made its parts ends them. */
export function createShop(parts: ShopParts): Hono {
  const signIn = new SignIn(parts.passwords);
  const shop = new Hono();
  addSignIn(shop, signIn);
  addOrders(shop, signIn, parts);
  addPayments(shop, parts);
  return shop;
}

function addSignIn(shop: Hono, signIn: SignIn): void {
  shop.get("/", (c) => {
    const customer = signIn.customerOf(c);
    return c.html(customer === undefined ? signInPage() : orderPage(customer));
  });
  shop.post("/sign-in", async (c) => {
    const { customer, password } = await c.req.parseBody();
    const isIn = await signIn.enter(c, String(customer), String(password));
    return isIn ? c.redirect("/", 303) : c.html(signInPage("That was not right."), 403);
  });
  shop.post("/sign-out", (c) => {
    signIn.leave(c);
    return c.redirect("/", 303);
  });
  shop.get("/progress.js", (c) => c.body(SCRIPT, 200, { "Content-Type": "text/javascript" }));
}

/** Each order is its customer's alone. */
function addOrders(shop: Hono, signIn: SignIn, parts: ShopParts): void {
  const { queue, folder } = parts;
  const api = createApp({
    queue,
    handlers: parts.handlers,
    logs: parts.logs,
    closing: parts.closing,
  }); // not mounted: a customer may see one run of it
  const ownerFile = (orderId: string): string => join(folder, "pictures", `${orderId}.owner`);
  const isOwn = async (c: Context, orderId: string): Promise<boolean> =>
    await readText(ownerFile(orderId)) === (signIn.customerOf(c) ?? null);
  shop.post("/orders", bodyLimit({ maxSize: PICTURE_MAX_BYTES }), async (c) => {
    const customer = signIn.customerOf(c);
    if (customer === undefined) return c.redirect("/", 303);
    const { picture } = await c.req.parseBody();
    if (!(picture instanceof File)) return c.text("A picture is needed", 400);
    const orderId = crypto.randomUUID();
    const bytes = new Uint8Array(await picture.arrayBuffer());
    await writeWhole(join(folder, "pictures", `${orderId}.png`), bytes);
    await writeWhole(ownerFile(orderId), new TextEncoder().encode(customer));
    return c.redirect(`/orders/${orderId}`, 303);
  });
  shop.get(`/orders/:id${ORDER_ID}`, async (c) => {
    const orderId = c.req.param("id");
    if (!(await isOwn(c, orderId))) return c.notFound();
    return c.html(statusPage(await viewOf(queue, orderId)));
  });
  shop.get(`/orders/:id${ORDER_ID}/progress`, async (c) => {
    const orderId = c.req.param("id");
    const { runId } = await viewOf(queue, orderId);
    if (!(await isOwn(c, orderId)) || runId === undefined) return c.notFound();
    const stream = new URL(`/api/runs/${runId}/logs/stream`, c.req.url);
    const { headers, signal } = c.req.raw;
    return await api.fetch(new Request(stream, { headers, signal }));
  });
  shop.get(`/orders/:id${ORDER_ID}/print.png`, async (c) => {
    const orderId = c.req.param("id");
    if (!(await isOwn(c, orderId))) return c.notFound();
    const print = await Deno.readFile(join(folder, "prints", `${orderId}.png`));
    return c.body(print, 200, { "Content-Type": "image/png" });
  });
}

function addPayments(shop: Hono, { queue, folder, paymentSecret }: ShopParts): void {
  shop.post("/payments", bodyLimit({ maxSize: 10_000 }), async (c) => {
    const signature = c.req.header(SIGNATURE_HEADER) ?? "";
    const payment = await paymentOf(await c.req.text(), signature, paymentSecret);
    if (payment === undefined) return c.text("This is no payment of ours", 403);
    const { orderId } = payment;
    const customer = await readText(join(folder, "pictures", `${orderId}.owner`));
    if (customer === null) return c.text(`There is no order ${orderId}`, 404);
    const order = { orderId, customer };
    const [printRun, invoiceRun] = runsOf(orderId);
    const print = await makePrint.enqueue(queue, order, {
      runId: printRun,
      idempotencyKey: printRun,
    });
    await writeInvoice.enqueue(queue, order, {
      runId: invoiceRun,
      idempotencyKey: invoiceRun,
      dependsOn: [print.task.id],
    });
    return c.body(null, 204);
  });
}

/** The runs of an order's print and invoice. */
function runsOf(orderId: string): [print: string, invoice: string] {
  return [`print-${orderId}`, `invoice-${orderId}`];
}

/** The state of an order is that of its print until it is made, then that of its invoice. */
async function viewOf(queue: TaskQueue, orderId: string): Promise<OrderView> {
  const [printRun, invoiceRun] = runsOf(orderId);
  const print = await queue.getByRunId(printRun);
  const invoice = await queue.getByRunId(invoiceRun);
  if (print === undefined || invoice === undefined) {
    return { orderId, status: "waiting for your payment" };
  }
  if (print.status !== "completed") {
    return { orderId, runId: printRun, status: print.status, problem: print.errorMessage };
  }
  const { status, result, errorMessage } = await writeInvoice.read(invoice);
  return { orderId, runId: invoiceRun, status, cents: result?.cents, problem: errorMessage };
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}
