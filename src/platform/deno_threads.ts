/**
 * Threads in Deno: a Web Worker for each attempt of an isolated handler.
 *
 * The thread's first module imports the handler's module statically, so loading needs no permission of the thread's, and
 * the permission set binds the module's own first lines too.
 */
import { systemClock } from "../domain/clock.ts";
import type { Handler } from "../worker/handler_registry.ts";
import {
  type HandlerSource,
  type HandlerThread,
  type HandlerThreads,
  isolatedHandler,
  type ThreadListener,
} from "../worker/isolated_handler.ts";
import type { ToThread } from "../worker/thread_messages.ts";
import { serveHandler } from "../worker/thread_side.ts";

/** How often a thread is asked whether it is still there: it may close itself without a word. */
const LOOK_INTERVAL_MS = 250;

/**
 * A handler that runs in a thread of its own, a new one for each attempt: it may block its thread for as long as it likes
 * and keeps its lease. Register it like any other: `handlers.register("resize", isolated({ module, function: "resize" }))`.
 *
 * `permissions` other than `inherit` need Deno's option `--unstable-worker-options` (or `"unstable": ["worker-options"]`
 * in deno.json); without it Deno itself ends the process when the first such thread starts.
 */
export function isolated(source: HandlerSource): Handler {
  return isolatedHandler(source, { threads: denoThreads, clock: systemClock });
}

/** Starts a Web Worker for each attempt. */
export const denoThreads: HandlerThreads = Object.freeze({
  start: (source: HandlerSource, listener: ThreadListener) => new DenoThread(source, listener),
});

class DenoThread implements HandlerThread {
  readonly #worker: Worker;
  readonly #listener: ThreadListener;
  readonly #looking: ReturnType<typeof setInterval>;
  #isMissing = false;

  constructor(source: HandlerSource, listener: ThreadListener) {
    this.#listener = listener;
    this.#worker = new Worker(firstModule(source), workerOptions(source));
    this.#worker.onmessage = ({ data }) => listener.onMessage(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  terminate(): void {
    clearInterval(this.#looking);
    this.#worker.onmessage = null;
    this.#worker.terminate();
  }

  /** Missing twice in a row, so that its last words are heard first. */
  #look(): void {
    if (isThere(this.#worker)) return;
    if (this.#isMissing) this.#end("it closed itself");
    this.#isMissing = true;
  }

  #end(reason: string): void {
    this.terminate();
    this.#listener.onEnd(reason);
  }
}

/** A worker that has gone takes nothing over: the buffer stays ours. */
function isThere(worker: Worker): boolean {
  const token = new ArrayBuffer(1);
  worker.postMessage(token, [token]);
  return token.detached;
}

function workerOptions({ function: name, permissions }: HandlerSource): WorkerOptions {
  const options = { type: "module", name } as const;
  return permissions === undefined || permissions === "inherit"
    ? options
    : { ...options, deno: { permissions: permissions as Deno.PermissionOptions } };
}

/** `serveHandler` is imported here too, so that a compiled binary contains it. */
const SERVE = serveHandler.name;
const SERVE_URL = new URL("../worker/thread_side.ts", import.meta.url).href;

/** Imported before the handler's module, so that it binds that module's first lines too. */
const OUTPUT_TO_STDERR = `data:text/javascript,${
  encodeURIComponent(
    'for (const name of ["log", "info", "debug", "dir", "dirxml", "table"]) console[name] = console.error;',
  )
}`;

function firstModule({ module, function: name, checksPayload, output }: HandlerSource): string {
  const options = JSON.stringify({ name, checksPayload: checksPayload ?? false });
  const code = [
    ...output === "stderr" ? [`import ${JSON.stringify(OUTPUT_TO_STDERR)};`] : [],
    `import { ${SERVE} } from ${JSON.stringify(SERVE_URL)};`,
    `import * as handlers from ${JSON.stringify(module)};`,
    `${SERVE}(self, handlers, ${options});`,
  ].join("\n");
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
