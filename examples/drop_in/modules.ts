/**
 * The application's modules: what it does in the background, each as a plain function.
 *
 * None of them knows which task manager runs it. Each may be run twice, since a durable task begins anew when its process
 * dies: a file that is copied already is not copied again.
 */
import { join } from "node:path";
import { z } from "zod";
import { PermanentError, type TaskContext } from "../../src/mod.ts";

/** One kind of background work. */
export interface Module {
  /** For people. */
  readonly name: string;
  /** What it needs to know. */
  readonly parameters: z.ZodType;
  /** Does it. */
  run(parameters: unknown, context: TaskContext): Promise<unknown>;
}

const FOLDER = z.object({ folder: z.string() });
const BACKUP = z.object({ from: z.string(), to: z.string(), pauseMs: z.number() });
const PRICES = z.object({ csv: z.string() });
const MIRROR = z.object({ url: z.string() });

/** The modules by their ids, which are also the task types of the durable queue. */
export const MODULES: Readonly<Record<string, Module>> = {
  cleanup: define("Remove temporary files", FOLDER, cleanUp),
  word_count: define("Count words", FOLDER, countWords),
  import_prices: define("Import prices", PRICES, importPrices),
  backup: define("Back up", BACKUP, backUp),
  mirror: define("Mirror", MIRROR, mirror),
};

function define<Parameters>(
  name: string,
  parameters: z.ZodType<Parameters>,
  run: (parameters: Parameters, context: TaskContext) => Promise<unknown>,
): Module {
  return { name, parameters, run: (given, context) => run(parameters.parse(given), context) };
}

async function cleanUp({ folder }: z.output<typeof FOLDER>): Promise<unknown> {
  const temporary = (await filesOf(folder)).filter((name) => name.endsWith(".tmp"));
  for (const name of temporary) await Deno.remove(join(folder, name));
  return { cleaned: folder };
}

/** Reports its progress after each file. */
async function countWords(
  { folder }: z.output<typeof FOLDER>,
  context: TaskContext,
): Promise<unknown> {
  const texts = (await filesOf(folder)).filter((name) => name.endsWith(".txt"));
  let words = 0;
  for (const [done, name] of texts.entries()) {
    words += (await Deno.readTextFile(join(folder, name))).split(/\s+/).filter(Boolean).length;
    context.progress((done + 1) / texts.length * 100, name);
  }
  return { files: texts.length, words };
}

/** Another attempt would read the same text, so an error in it is permanent. */
function importPrices({ csv }: z.output<typeof PRICES>): Promise<unknown> {
  const prices = csv.trim().split("\n").map((line, index) => {
    const price = Number(line.split(",")[1]);
    if (Number.isNaN(price)) {
      throw new PermanentError(`line ${index + 1}: the price is not a number`);
    }
    return price;
  });
  return Promise.resolve({ prices: prices.length });
}

/** Slow on purpose: it leaves the disk to others after each file. */
async function backUp(
  { from, to, pauseMs }: z.output<typeof BACKUP>,
  { signal }: TaskContext,
): Promise<unknown> {
  await Deno.mkdir(to, { recursive: true });
  const kept = new Set(await filesOf(to));
  const names = (await filesOf(from)).filter((name) => name.endsWith(".txt"));
  for (const name of names.filter((name) => !kept.has(name))) {
    signal.throwIfAborted();
    await Deno.copyFile(join(from, name), join(to, name));
    await pause(pauseMs, signal);
  }
  return { copies: names.length };
}

/** Waits for a server that never answers; only cancelling ends it. */
async function mirror(_parameters: z.output<typeof MIRROR>, context: TaskContext): Promise<never> {
  while (true) await pause(60_000, context.signal);
}

async function filesOf(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) if (entry.isFile) names.push(entry.name);
  return names.sort();
}

/** Rejects when the run is cancelled. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, durationMs);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
