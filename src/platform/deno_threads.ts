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
import type { StuckThread } from "../worker/thread_endings.ts";
import { GateKeeper, guard, type ToGate } from "../worker/thread_gate.ts";
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
 *
 * @throws TypeError when the module is not an absolute URL, or the export has no name.
 */
export function isolated(source: HandlerSource): Handler {
  return isolatedHandler(source, { threads: denoThreads, clock: systemClock });
}

/** Starts a Web Worker for each attempt. */
export const denoThreads: HandlerThreads = Object.freeze({
  start: (source: HandlerSource, listener: ThreadListener) => new DenoThread(source, listener),
});

/** How long a thread may take to end before it counts as stuck, and how long the pauses between looks become, in milliseconds. */
const END_GRACE_MS = 2000;
const END_LOOK_MAX_MS = 50;

/** Threads that go on although they were told to end: each takes a processor until the process ends. */
let stuckCount = 0;

class DenoThread implements HandlerThread {
  readonly #worker: Worker;
  readonly #listener: ThreadListener;
  readonly #looking: ReturnType<typeof setInterval>;
  readonly #gate = new GateKeeper();
  #granting: ReturnType<typeof setTimeout> | undefined;
  #isMissing = false;
  #isFlooding = false;

  constructor(source: HandlerSource, listener: ThreadListener) {
    this.#listener = listener;
    this.#worker = new Worker(firstModule(source), workerOptions(source));
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#stopListening();
      listener.onEnd(event.message);
    };
    this.#worker.postMessage(this.#gate.greeting);
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  async end(graceMs = END_GRACE_MS): Promise<StuckThread | null> {
    this.#stopListening();
    this.#worker.onmessage = () => this.#countLate();
    this.#gate.shut();
    this.#worker.postMessage({ kind: "end" } satisfies ToGate);
    const hasEnded = await this.#ends(graceMs);
    this.#worker.onmessage = null;
    this.#worker.terminate();
    if (hasEnded) return null;
    stuckCount++;
    if (this.#isFlooding) {
      return { problem: "it goes on sending messages past its limit", isFatal: true };
    }
    const isFatal = stuckCount >= navigator.hardwareConcurrency;
    return { problem: `it goes on, as one of ${stuckCount} that keep a processor busy`, isFatal };
  }

  /** Told to the listener in a turn of its own after half of what a thread may send, so that others have theirs. */
  #hear(message: unknown): void {
    if (!this.#gate.hear()) return this.#onFlood();
    if (this.#gate.isDue) {
      this.#granting ??= setTimeout(() => {
        this.#granting = undefined;
        this.#gate.grant();
      }, 0);
    }
    this.#listener.onMessage(message);
  }

  #onFlood(): void {
    this.#isFlooding = true;
    this.#stopListening();
    this.#listener.onEnd("it sent messages past its limit");
  }

  #countLate(): void {
    if (this.#gate.hear()) return;
    this.#isFlooding = true;
    this.#worker.onmessage = null;
  }

  /** Missing twice in a row, so that its last words are heard first. */
  #look(): void {
    if (isThere(this.#worker)) return;
    if (this.#isMissing) {
      this.#stopListening();
      this.#listener.onEnd("it closed itself");
    }
    this.#isMissing = true;
  }

  #stopListening(): void {
    clearInterval(this.#looking);
    if (this.#granting !== undefined) clearTimeout(this.#granting);
    this.#worker.onmessage = null;
  }

  async #ends(graceMs: number): Promise<boolean> {
    const untilMs = performance.now() + graceMs;
    let pauseMs = 1;
    while (isThere(this.#worker)) {
      if (this.#isFlooding || performance.now() >= untilMs) return false;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(2 * pauseMs, END_LOOK_MAX_MS);
    }
    return true;
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

/** Both are imported here too, so that a compiled binary contains them. */
const SERVE = serveHandler.name;
const SERVE_URL = new URL("../worker/thread_side.ts", import.meta.url).href;
const GUARD = guard.name;
const GUARD_URL = new URL("../worker/thread_gate.ts", import.meta.url).href;

/** Imported before the handler's module, so that it binds that module's first lines too. */
const GATE = moduleOf(`import { ${GUARD} } from ${JSON.stringify(GUARD_URL)};\n${GUARD}(self);`);

/** Imported before the handler's module, so that it binds that module's first lines too. */
const OUTPUT_TO_STDERR = moduleOf(
  `for (const name of ["log", "info", "debug", "dir", "dirxml", "table"]) console[name] = console.error;
  Object.defineProperty(Deno, "stdout", { value: Deno.stderr });
  process.stdout.write = process.stderr.write.bind(process.stderr);`,
);

/** Deno lets a thread without any permission send signals to its own process; `process.kill` of Node goes by `_kill`. */
const NO_SIGNALS = moduleOf(`
  const refuse = () => {
    throw new Deno.errors.NotCapable("A thread with permissions of its own may not send signals");
  };
  for (const [owner, name] of [[Deno, "kill"], [process, "kill"], [process, "_kill"]]) {
    Object.defineProperty(owner, name, { value: refuse });
  }
`);

/** Whether the thread may run programs, so it may end them too. */
function maySignal({ permissions = "inherit" }: HandlerSource): boolean {
  if (typeof permissions === "string") return permissions === "inherit";
  return permissions.run === true || permissions.run === "inherit";
}

function firstModule(source: HandlerSource): string {
  const { module, function: name, checksPayload = false, permissions, output } = source;
  const options = { name, checksPayload, hasPermissions: permissions !== undefined };
  return moduleOf([
    `import ${JSON.stringify(GATE)};`,
    ...maySignal(source) ? [] : [`import ${JSON.stringify(NO_SIGNALS)};`],
    ...output === "stderr" ? [`import ${JSON.stringify(OUTPUT_TO_STDERR)};`] : [],
    `import { ${SERVE} } from ${JSON.stringify(SERVE_URL)};`,
    `import * as handlers from ${JSON.stringify(module)};`,
    `${SERVE}(self, handlers, ${JSON.stringify(options)});`,
  ].join("\n"));
}

function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
