/**
 * The shop of examples/shop: its handlers by themselves, its payments, and all of it as a program that a Chromium uses.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decode, encode } from "fast-png";
import { join } from "node:path";
import { createShop } from "../../examples/shop/app.ts";
import { SIGNATURE_HEADER, signatureOf } from "../../examples/shop/payments.ts";
import {
  createHandlers,
  makeFolders,
  makePrint,
  salesReport,
  writeInvoice,
} from "../../examples/shop/tasks.ts";
import { openTestQueue, type TestQueue } from "../../testing/test_queue.ts";
import { startBrowser, whyNoBrowser } from "../support/browser.ts";

const SECRET = "the payment service's secret";

/** A picture of 800 × 600 pixels, all of one colour. */
function picture(): Uint8Array {
  const data = new Uint8Array(800 * 600 * 3).fill(120);
  return encode({ width: 800, height: 600, channels: 3, depth: 8, data });
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast shop " });
  try {
    await makeFolders({ folder });
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function withTasks(test: (tasks: TestQueue, folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await using tasks = await openTestQueue({ handlers: createHandlers({ folder }) });
    await test(tasks, folder);
  });
}

Deno.test("the shop: a print, its invoice and the report are real files, made one after the other", () =>
  withTasks(async (tasks, folder) => {
    const { queue } = tasks;
    const order = { orderId: crypto.randomUUID(), customer: "ann" };
    await Deno.writeFile(join(folder, "pictures", `${order.orderId}.png`), picture());
    const print = await makePrint.enqueue(queue, order);
    const invoice = await writeInvoice.enqueue(queue, order, { dependsOn: [print.task.id] });
    await tasks.drain();
    await tasks.assertTask(print.task.id, { status: "completed", progress: 100 });
    const cents = 250 + 120 * 2;
    const file = `${order.orderId}.json`;
    await tasks.assertTask(invoice.task.id, { status: "completed", result: { file, cents } });
    const made = decode(await Deno.readFile(join(folder, "prints", `${order.orderId}.png`)));
    assertEquals([made.width, made.height, made.data[0]], [400, 300, 120]);
    await salesReport.enqueue(queue, {});
    await tasks.drain();
    const report = await Deno.readTextFile(join(folder, "reports", "sales.csv"));
    assertEquals(report, `order,customer,cents\n${order.orderId},ann,${cents}\ntotal,,${cents}\n`);
  }));

Deno.test("the shop: what is no picture fails at once, and its invoice with it; a passing failure is tried again", () =>
  withTasks(async (tasks, folder) => {
    const orders = [1, 2].map(() => ({ orderId: crypto.randomUUID(), customer: "ann" }));
    const [broken, fine] = orders.map(({ orderId }) => join(folder, "pictures", `${orderId}.png`));
    await Deno.writeFile(broken!, new Uint8Array(99));
    await Deno.writeFile(fine!, picture());
    const print = await makePrint.enqueue(tasks.queue, orders[0]!);
    const invoice = await writeInvoice.enqueue(tasks.queue, orders[0]!, {
      dependsOn: [print.task.id],
    });
    await tasks.drain();
    await tasks.assertTask(print.task.id, { status: "failed", attempts: 1 });
    assert((await tasks.task(invoice.task.id)).status !== "completed");
    tasks.failNext(makePrint.type);
    const again = await makePrint.enqueue(tasks.queue, orders[1]!);
    await tasks.drain();
    await tasks.advance(60_000);
    await tasks.drain();
    await tasks.assertTask(again.task.id, { status: "completed", attempts: 2 });
  }));

Deno.test("the shop: orders are their customer's, payments are signed and count once", () =>
  withTasks(async ({ queue, handlers, logs }, folder) => {
    const passwords = { ann: "a", bob: "b" };
    const shop = createShop({ folder, queue, handlers, logs, passwords, paymentSecret: SECRET });
    const [ann, bob] = await Promise.all([signIn(shop, "ann", "a"), signIn(shop, "bob", "b")]);
    assertEquals(await signIn(shop, "ann", "b"), undefined);
    const form = new FormData();
    form.set("picture", new File([picture() as Uint8Array<ArrayBuffer>], "me.png"));
    const ordered = await shop.request("/orders", { method: "POST", body: form, headers: ann });
    const place = ordered.headers.get("location")!;
    assertStringIncludes(
      await (await shop.request(place, { headers: ann })).text(),
      "waiting for your payment",
    );
    for (const headers of [bob!, {}]) {
      assertEquals((await shop.request(place, { headers })).status, 404);
      assertEquals((await shop.request(`${place}/print.png`, { headers })).status, 404);
    }
    const orderId = place.split("/").at(-1)!;
    const paid = async (signature?: string): Promise<number> =>
      (await pay(shop, orderId, signature)).status;
    assertEquals(await paid("0".repeat(64)), 403);
    assertEquals(await queue.count(), 0);
    assertEquals([await paid(), await paid()], [204, 204]);
    assertEquals(await queue.count(), 2);
    assertEquals((await pay(shop, crypto.randomUUID())).status, 404);
  }));

const why = whyNoBrowser();

Deno.test({
  name: `the shop as a program: ordered, paid, printed and stopped, in a Chromium${
    why === undefined ? "" : ` (skipped: ${why})`
  }`,
  ignore: why !== undefined,
  fn: () =>
    withFolder(async (folder) => {
      await Deno.writeFile(join(folder, "me.png"), picture());
      const shop = startShop(folder);
      try {
        await useShop(await shop.url, folder);
      } finally {
        assertStringIncludes(await shop.stopped(), "closed");
      }
      const report = await Deno.readTextFile(join(folder, "reports", "sales.csv"));
      assertStringIncludes(report, "order,customer,cents\n");
    }),
});

/** Ann signs in, orders a print, pays, and looks at it. */
async function useShop(url: string, folder: string): Promise<void> {
  await using browser = startBrowser();
  await browser.do("open", {});
  await browser.do("goto", url);
  await browser.do("fill", "[name=customer]", "ann");
  await browser.do("fill", "[name=password]", "word");
  await browser.do("click", "text=Sign in");
  await browser.do("choose", "[name=picture]", join(folder, "me.png"));
  await browser.do("click", "text=Order");
  await browser.do("wait", "text=waiting for your payment");
  const place = await browser.do<string>("url");
  assertEquals((await pay(url, place.split("/").at(-1)!)).status, 204);
  await browser.do("goto", place);
  await browser.do("wait", "#price");
  assertEquals(await browser.do("text", "#price"), "4.90 €");
  const width = await browser.do("evaluate", "document.querySelector('img').naturalWidth");
  assertEquals(width, 400);
  assertEquals(await browser.do("problems"), []);
}

/** What takes requests: an application, or its address. */
type Shop = ReturnType<typeof createShop> | string;

async function ask(shop: Shop, path: string, init: RequestInit): Promise<Response> {
  return typeof shop === "string" ? await fetch(shop + path, init) : await shop.request(path, init);
}

async function pay(shop: Shop, orderId: string, signature?: string): Promise<Response> {
  const body = JSON.stringify({ event: "e1", orderId });
  const headers = { [SIGNATURE_HEADER]: signature ?? await signatureOf(body, SECRET) };
  const answer = await ask(shop, "/payments", { method: "POST", body, headers });
  await answer.body?.cancel();
  return answer;
}

async function signIn(
  shop: Shop,
  customer: string,
  password: string,
): Promise<Record<string, string> | undefined> {
  const body = new URLSearchParams({ customer, password });
  const answer = await ask(shop, "/sign-in", { method: "POST", body });
  const cookie = answer.headers.get("set-cookie")?.split(";")[0];
  return cookie === undefined ? undefined : { cookie };
}

interface RunningShop {
  readonly url: Promise<string>;
  /** Stops it as Ctrl-C does; gives what it has printed. */
  stopped(): Promise<string>;
}

function startShop(folder: string): RunningShop {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-read", "--allow-write", "--allow-env", "--allow-net=127.0.0.1"],
      "examples/shop/main.ts",
    ],
    env: {
      SHOP_FOLDER: folder,
      SHOP_PORT: "0",
      SHOP_PASSWORD: "word",
      SHOP_PAYMENT_SECRET: SECRET,
      SHOP_REPORT_CRON: "* * * * * *",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const begun = Promise.withResolvers<string>();
  const printed = (async () => {
    let text = "";
    for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      const url = text.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
      if (url !== undefined) begun.resolve(url);
    }
    begun.reject(new Error(`The shop has ended: ${text}`));
    return text;
  })();
  return {
    url: begun.promise,
    async stopped(): Promise<string> {
      process.kill("SIGINT");
      await process.status;
      return await printed;
    },
  };
}
