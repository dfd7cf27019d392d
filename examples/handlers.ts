/**
 * Handlers that do real work on real files, without network and without native code.
 *
 * Try them: `deno task cli run checksum --payload '{"path":"README.md"}' --handlers examples/handlers.ts`
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import {
  type Handler,
  type HandlerModuleEntry,
  messageOf,
  PermanentError,
  type TaskContext,
} from "../src/mod.ts";
import { makeThumbnail } from "./thumbnail.ts";

const PROGRESS_INTERVAL_MS = 250;

const checksumPayload = z.strictObject({
  /** The file, absolute or relative to the worker's working directory. */
  path: z.string().min(1),
});

/** `{ path }` → `{ sha256, bytes }`: reads a file of any size in pieces. */
export const checksum: HandlerModuleEntry = {
  description: "SHA-256 of a file",
  payload: checksumPayload,
  handler: (async ({ payload }, context) => {
    using file = await openForReading(payload.path);
    const { size } = await file.stat();
    const hash = createHash("sha256");
    const reportProgress = progressReporter(context, size);
    let bytes = 0;
    for await (const chunk of file.readable) {
      context.signal.throwIfAborted();
      hash.update(chunk);
      bytes += chunk.length;
      reportProgress(bytes);
    }
    return { sha256: hash.digest("hex"), bytes };
  }) satisfies Handler<z.infer<typeof checksumPayload>>,
};

const thumbnailPayload = z.strictObject({
  /** The PNG to read. */
  path: z.string().min(1),
  /** The PNG to write; an existing one is replaced. */
  output: z.string().min(1),
  /** The longest side of the thumbnail, in pixels. */
  size: z.int().min(1).max(4096).default(128),
});

/** `{ path, output, size? }` → `{ width, height, bytes }`: a PNG made smaller, written beside or elsewhere. */
export const thumbnail: HandlerModuleEntry = {
  description: "a smaller copy of a PNG",
  payload: thumbnailPayload,
  timeoutMs: 60_000,
  handler: (async ({ payload }, context) => {
    const original = await readWhole(payload.path);
    context.progress(20, "read");
    const { png, width, height } = smaller(original, payload);
    context.progress(80, "made smaller");
    context.signal.throwIfAborted();
    const unfinished = `${payload.output}.${context.runId}.tmp`;
    await Deno.writeFile(unfinished, png);
    await Deno.rename(unfinished, payload.output);
    return { width, height, bytes: png.length };
  }) satisfies Handler<z.infer<typeof thumbnailPayload>>,
};

const sleepPayload = z.strictObject({
  /** How long, in milliseconds. */
  ms: z.int().min(0).max(3_600_000),
});

/** `{ ms }` → `{ slept_ms }`: for trying cancel and kill. */
export const sleep: HandlerModuleEntry = {
  description: "waits, and says how far it is",
  payload: sleepPayload,
  handler: (async ({ payload: { ms } }, context) => {
    const startedAtMs = performance.now();
    const sleptMs = (): number => Math.min(ms, performance.now() - startedAtMs);
    context.log("info", `sleeping for ${ms} ms`);
    while (sleptMs() < ms) {
      await pause(Math.min(PROGRESS_INTERVAL_MS, ms - sleptMs()), context.signal);
      context.progress(Math.floor(sleptMs() / ms * 100));
    }
    return { slept_ms: ms };
  }) satisfies Handler<z.infer<typeof sleepPayload>>,
};

/** Opens a file. @throws PermanentError when it does not exist: trying again would not help. */
async function openForReading(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (thrown) {
    throw asPermanent(thrown);
  }
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (thrown) {
    throw asPermanent(thrown);
  }
}

function asPermanent(thrown: unknown): unknown {
  return thrown instanceof Deno.errors.NotFound ? new PermanentError(thrown.message) : thrown;
}

/** @throws PermanentError when it is not a PNG. */
function smaller(
  original: Uint8Array,
  { path, size }: { path: string; size: number },
): ReturnType<typeof makeThumbnail> {
  try {
    return makeThumbnail(original, size);
  } catch (thrown) {
    throw new PermanentError(`Cannot make ${path} smaller: ${messageOf(thrown)}`);
  }
}

/** Reports progress a few times a second, however many pieces there are. */
function progressReporter(context: TaskContext, total: number): (done: number) => void {
  let reportedAtMs = performance.now();
  return (done) => {
    if (performance.now() - reportedAtMs < PROGRESS_INTERVAL_MS) return;
    reportedAtMs = performance.now();
    context.progress(Math.min(100, Math.floor(done / total * 100)), `${done} of ${total} bytes`);
  };
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
