/**
 * Serves the shop with a worker in the same process:
 *
 * ```sh
 * SHOP_PASSWORD=… SHOP_PAYMENT_SECRET=… deno run --allow-read --allow-write=data --allow-env \
 *   --allow-net=127.0.0.1 examples/shop/main.ts
 * ```
 *
 * Ctrl-C stops it: no request is taken any more, what runs has ten seconds, and what is left is done after the next start.
 */
import { openLogStore, openQueue, Worker } from "../../src/mod.ts";
import { createShop } from "./app.ts";
import { createHandlers, makeFolders, salesReport } from "./tasks.ts";

const folder = Deno.env.get("SHOP_FOLDER") ?? "data/shop";
const port = Number(Deno.env.get("SHOP_PORT") ?? 8790);
const [password, paymentSecret] = ["SHOP_PASSWORD", "SHOP_PAYMENT_SECRET"].map((name) => {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} must be set`);
  return value;
});

await makeFolders({ folder });
const path = `${folder}/queue.db`;
const queue = await openQueue(path);
const logs = openLogStore(path);
const handlers = createHandlers({ folder });
const cron = Deno.env.get("SHOP_REPORT_CRON") ?? "0 6 * * *";
await queue.addSchedule({ id: "sales report", type: salesReport.type, payload: {}, cron });
const worker = new Worker({ queue, logs, handlers });
worker.start();

const closing = new AbortController();
const passwords = { ann: password! };
const parts = { folder, queue, logs, handlers, passwords, paymentSecret: paymentSecret! };
const shop = createShop({ ...parts, closing: closing.signal });
const onListen = ({ port }: Deno.NetAddr): void =>
  console.log(`The shop is at http://127.0.0.1:${port}`);
const server = Deno.serve({ hostname: "127.0.0.1", port, onListen }, shop.fetch);
const stop = (): void => {
  closing.abort();
  void server.shutdown();
};
Deno.addSignalListener("SIGINT", stop);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
await server.finished;
await worker.stop({ graceMs: 10_000 });
await queue.close();
console.log("closed");
