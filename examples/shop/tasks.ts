/**
 * The shop's work: three typed tasks on real files. A print is made of a picture, its invoice follows, and a report sums the
 * invoices up. Each may run again after a crash, so each writes a file whole and anew.
 */
import { basename, join } from "node:path";
import { z } from "zod";
import { defineTask, HandlerRegistry, PermanentError } from "../../src/mod.ts";
import { makeThumbnail } from "../thumbnail.ts";

/** Where the shop keeps its files: `pictures`, `prints`, `invoices`, `reports`. */
export interface ShopFolder {
  readonly folder: string;
}

const order = z.object({ orderId: z.uuid(), customer: z.string() });

/** What a print costs: a base price and one for each thousand of its pixels, in cents. */
const PRICE = Object.freeze({ baseCents: 250, kilopixelCents: 2 });

/** A print of an uploaded picture. */
export const makePrint = defineTask({
  type: "make_print",
  description: "Makes a print of at most 400 pixels of a customer's picture",
  payload: order,
  result: z.object({ file: z.string(), width: z.int(), height: z.int() }),
  maxAttempts: 3,
  timeoutMs: 60_000,
});

/** The invoice of a print. */
export const writeInvoice = defineTask({
  type: "write_invoice",
  description: "Writes the invoice of a print",
  payload: order,
  result: z.object({ file: z.string(), cents: z.int() }),
  parents: [makePrint],
});

/** What was sold. */
export const salesReport = defineTask({
  type: "sales_report",
  description: "Sums up all invoices",
  payload: z.object({}),
  result: z.object({ file: z.string(), invoices: z.int(), cents: z.int() }),
});

/** The handlers of a shop whose files are in `folder`. */
export function createHandlers({ folder }: ShopFolder): HandlerRegistry {
  return new HandlerRegistry()
    .register(makePrint, async ({ payload: { orderId } }, { log, progress }) => {
      const picture = await readPicture(join(folder, "pictures", `${orderId}.png`));
      await progress(30, "picture read");
      const print = printOf(picture);
      await progress(70, "print made");
      const file = join(folder, "prints", `${orderId}.png`);
      await writeWhole(file, print.png);
      log("info", `${print.width} × ${print.height} pixels`);
      return { file: basename(file), width: print.width, height: print.height };
    })
    .register(writeInvoice, async ({ payload: { orderId, customer } }, context) => {
      const [print] = await context.parentResults();
      const { width, height } = print.result!;
      const cents = PRICE.baseCents + Math.ceil(width * height / 1000) * PRICE.kilopixelCents;
      const file = join(folder, "invoices", `${orderId}.json`);
      const invoice = { orderId, customer, width, height, cents };
      await writeWhole(file, new TextEncoder().encode(JSON.stringify(invoice)));
      return { file: basename(file), cents };
    })
    .register(salesReport, async () => {
      const invoices = await readInvoices(join(folder, "invoices"));
      const cents = invoices.reduce((sum, invoice) => sum + invoice.cents, 0);
      const lines = invoices.map(({ orderId, customer, cents }) =>
        `${orderId},${customer},${cents}`
      );
      const file = join(folder, "reports", "sales.csv");
      const text = ["order,customer,cents", ...lines, `total,,${cents}`, ""].join("\n");
      await writeWhole(file, new TextEncoder().encode(text));
      return { file: basename(file), invoices: invoices.length, cents };
    });
}

/** Makes the folders that are missing. */
export async function makeFolders({ folder }: ShopFolder): Promise<void> {
  for (const name of ["pictures", "prints", "invoices", "reports"]) {
    await Deno.mkdir(join(folder, name), { recursive: true });
  }
}

/** Writes a file beside its place and moves it there, so nobody reads half of it. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const scratch = `${path}.${crypto.randomUUID()}`;
  await Deno.writeFile(scratch, bytes);
  await Deno.rename(scratch, path);
}

/** A picture that is not there will not come. */
async function readPicture(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    throw new PermanentError(`There is no picture ${basename(path)}`, { cause: thrown });
  }
}

/** What cannot be read as a PNG now, cannot later. */
function printOf(picture: Uint8Array): ReturnType<typeof makeThumbnail> {
  try {
    return makeThumbnail(picture, 400);
  } catch (thrown) {
    throw new PermanentError("The picture is no PNG that can be printed", { cause: thrown });
  }
}

interface Invoice {
  readonly orderId: string;
  readonly customer: string;
  readonly cents: number;
}

async function readInvoices(folder: string): Promise<Invoice[]> {
  const invoices: Invoice[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".json")) {
      invoices.push(JSON.parse(await Deno.readTextFile(join(folder, name))));
    }
  }
  return invoices.sort((a, b) => a.orderId < b.orderId ? -1 : 1);
}
