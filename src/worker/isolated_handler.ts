/**
 * Isolation: a handler that runs in a thread of its own, so that neither blocking nor talking keeps the worker from renewing
 * leases.
 *
 * One thread per attempt, gone when the attempt ends. An interruption escalates: the handler's signal fires, it gets the
 * grace time to end by itself, then its thread is ended. What the platform cannot end is reported, never forgotten.
 */
import { deferred } from "../domain/deferred.ts";
import { z } from "zod";
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { messageOf, PermanentError } from "../domain/errors.ts";
import { shownValue } from "../domain/shown_value.ts";
import type { NewTask, Task } from "../domain/task.ts";
import { INTERRUPT_GRACE_MS } from "./execution.ts";
import type { Handler, HandlerOptions, TaskContext } from "./handler_registry.ts";
import { LOG_LEVELS } from "./log_store.ts";
import { type StuckThread, tellThreadEnding } from "./thread_endings.ts";
import {
  errorOf,
  type FromThread,
  imageOf,
  type ThrownImage,
  type ToThread,
} from "./thread_messages.ts";

/** Where a handler runs: on the worker's own thread (`none`), or in a thread of its own (`worker`). */
export const ISOLATIONS = ["none", "worker"] as const;

/** Where a handler runs. */
export type Isolation = typeof ISOLATIONS[number];

/** The permissions of a thread. */
export const PERMISSION_NAMES = [
  "env",
  "ffi",
  "import",
  "net",
  "read",
  "run",
  "sys",
  "write",
] as const;

/**
 * The permissions of a handler's thread: everything the process may (`inherit`), nothing, or a list of what is allowed: `true`,
 * `inherit`, or the hosts, paths, programs or variables; what is not named is denied. Never more than the process itself.
 */
export type HandlerPermissions =
  | "inherit"
  | "none"
  | Readonly<
    Partial<Record<typeof PERMISSION_NAMES[number], boolean | "inherit" | readonly string[]>>
  >;

/** Where the code of an isolated handler is. */
export interface HandlerSource {
  /** The module's URL, absolute. */
  readonly module: string;
  /** Which of its exports: a function, or an object with a `handler`. */
  readonly function: string;
  /** The thread's permissions; default `inherit`. */
  readonly permissions?: HandlerPermissions;
  /**
   * Whether the thread checks the payload against the `payload` schema of the export, for a module that the worker itself
   * has not loaded; default false.
   */
  readonly checksPayload?: boolean;
  /** Where the thread's `console.log` and its like write: `stderr` keeps the process's standard output free; default `inherit`. */
  readonly output?: "inherit" | "stderr";
}

/** Is told what a thread does. */
export interface ThreadListener {
  onMessage(message: unknown): void;
  /** The thread has ended without being terminated: it threw, could not be loaded, or closed itself. */
  onEnd(reason: string): void;
}

/** A thread that has loaded, or is loading, a handler's module. */
export interface HandlerThread {
  /** Kept until the thread is ready for it. @throws what says that the message cannot be cloned. */
  post(message: ToThread): void;
  /**
   * Ends the thread; its listener hears nothing more. Resolves when it has gone, or to the problem when it goes
   * on after `graceMs`, by default 2 s, all the same. Never rejects.
   */
  end(graceMs?: number): Promise<StuckThread | null>;
}

/** The port for threads: each serves one attempt by `serveHandler`. */
export interface HandlerThreads {
  /** @throws when the platform refuses the thread. */
  start(source: HandlerSource, listener: ThreadListener): HandlerThread;
}

/** The dependencies of isolation. */
export interface IsolationTools {
  readonly threads: HandlerThreads;
  readonly clock: Clock;
}

/**
 * A handler that runs the one at `source` in a new thread for each attempt.
 *
 * @throws TypeError when the module is not an absolute URL, or the export has no name.
 */
export function isolatedHandler(source: HandlerSource, tools: IsolationTools): Handler {
  const { module, function: name } = source;
  if (typeof module !== "string" || !URL.canParse(module)) {
    throw new TypeError(
      `Cannot isolate a handler of ${
        shownValue(module)
      }: the module's absolute URL is needed, such as import.meta.resolve("./handlers.ts")`,
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot isolate a handler of ${module}: the name of an export is needed`);
  }
  const handler: Handler = (task, context) => new IsolatedAttempt(context, tools).run(source, task);
  sources.set(handler, source);
  return handler;
}

const sources = new WeakMap<Handler, HandlerSource>();

/** Where the code of a handler is that was made by `isolatedHandler`. */
export function sourceOf(handler: Handler): HandlerSource | undefined {
  return sources.get(handler);
}

/** Loads the handler in a thread, ends the thread, and gives the options of its export. @throws Error with the problem. */
export async function checkSource(
  source: HandlerSource,
  threads: HandlerThreads,
): Promise<HandlerOptions> {
  const loaded = deferred<HandlerOptions>();
  const thread = threads.start(source, {
    onMessage: (message) => {
      const told = readMessage(message);
      if (told?.kind === "thrown") return loaded.reject(errorOf(told.thrown));
      if (told?.kind !== "loaded") return;
      if (told.problem === null) loaded.resolve(told.options ?? {});
      else loaded.reject(new TypeError(told.problem));
    },
    onEnd: (reason) => loaded.reject(new TypeError(reason)),
  });
  try {
    return await loaded.promise;
  } finally {
    await thread.end();
  }
}

class IsolatedAttempt {
  readonly #context: TaskContext;
  readonly #tools: IsolationTools;
  readonly #outcome = deferred<unknown>();
  #cancelKill: CancelTimer = () => {};
  #ending: Promise<StuckThread | null> | undefined;
  #isParentsKnown = false;

  constructor(context: TaskContext, tools: IsolationTools) {
    this.#context = context;
    this.#tools = tools;
  }

  async run(source: HandlerSource, task: Task): Promise<unknown> {
    const { signal, runId, attempt, isLastAttempt, deadline } = this.#context;
    const { reject } = this.#outcome;
    const thread = this.#tools.threads.start(source, {
      onMessage: (message) => this.#onMessage(message, (answer) => thread.post(answer)),
      onEnd: (reason) => reject(new Error(`The handler's thread ended: ${reason}`)),
    });
    const escalate = (): void => this.#escalate(thread);
    signal.addEventListener("abort", escalate, { once: true });
    try {
      thread.post({ kind: "run", task, runId, attempt, isLastAttempt, deadline });
      return await this.#outcome.promise;
    } finally {
      signal.removeEventListener("abort", escalate);
      this.#cancelKill();
      await this.#end(thread);
    }
  }

  #end(thread: HandlerThread): Promise<StuckThread | null> {
    if (this.#ending !== undefined) return this.#ending;
    this.#ending = thread.end();
    tellThreadEnding(this.#context, this.#ending);
    return this.#ending;
  }

  #escalate(thread: HandlerThread): void {
    const { reason } = this.#context.signal;
    const name = reason instanceof Error ? reason.name : "AbortError";
    thread.post({ kind: "abort", name, message: messageOf(reason) });
    this.#cancelKill = this.#tools.clock.setTimer(() => {
      void this.#end(thread);
      const why = `${messageOf(reason)}; the handler went on for ${INTERRUPT_GRACE_MS} ms`;
      this.#outcome.reject(new Error(`The handler's thread was terminated: ${why}`));
    }, INTERRUPT_GRACE_MS);
  }

  /** What the handler's code makes its thread say is not trusted: it is read, and an error in it is the handler's. */
  #onMessage(message: unknown, answer: (message: ToThread) => void): void {
    const told = readMessage(message);
    try {
      if (told !== undefined) this.#hear(told, answer);
    } catch (error) {
      this.#outcome.reject(error);
    }
  }

  #hear(message: FromThread, answer: (message: ToThread) => void): void {
    switch (message.kind) {
      case "loaded":
        if (message.problem !== null) this.#outcome.reject(new PermanentError(message.problem));
        return;
      case "log":
        return this.#context.log(message.level, message.message, message.details);
      case "progress":
        return this.#context.progress(message.percent, message.message);
      case "enqueue":
        return void this.#context.enqueue(message.task);
      case "parents":
        return this.#answerParents(answer);
      case "result":
        return this.#outcome.resolve(message.result);
      case "thrown":
        return this.#outcome.reject(errorOf(message.thrown));
    }
  }

  /** Only once, but for errors: the thread keeps the answer, and one that asks in a loop does not read. */
  #answerParents(answer: (message: ToThread) => void): void {
    if (this.#isParentsKnown) return;
    this.#isParentsKnown = true;
    this.#context.parentResults().then(
      (results) => answer({ kind: "parents", results }),
      (error) => {
        this.#isParentsKnown = false;
        answer({ kind: "parents", thrown: imageOf(error) });
      },
    ).catch((error) => this.#outcome.reject(error));
  }
}

const THROWN: z.ZodType<ThrownImage> = z.object({
  name: z.string(),
  message: z.string(),
  stack: z.string().optional(),
  delayMs: z.number().optional(),
  exitCode: z.int().optional(),
  isPermanent: z.boolean().optional(),
  cause: z.lazy(() => THROWN).optional(),
});

const FROM_THREAD = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("loaded"),
    problem: z.string().nullable(),
    options: z.object({
      name: z.string(),
      description: z.string(),
      version: z.string(),
      retryPolicy: z.object({
        initialDelayMs: z.number(),
        multiplier: z.number(),
        maxDelayMs: z.number(),
      }).partial(),
      maxAttempts: z.number(),
      timeoutMs: z.number(),
      concurrency: z.number(),
    }).partial().optional(),
  }),
  z.object({
    kind: z.literal("log"),
    level: z.enum(LOG_LEVELS).catch("info"),
    message: z.coerce.string(),
    details: z.unknown().optional(),
  }),
  z.object({
    kind: z.literal("progress"),
    percent: z.number(),
    message: z.coerce.string().optional(),
  }),
  z.object({
    kind: z.literal("enqueue"),
    task: z.custom<NewTask>((task) => typeof task === "object" && task !== null),
  }),
  z.object({ kind: z.literal("parents") }),
  z.object({ kind: z.literal("result"), result: z.unknown() }),
  z.object({
    kind: z.literal("thrown"),
    thrown: THROWN,
  }),
]);

function readMessage(message: unknown): FromThread | undefined {
  return FROM_THREAD.safeParse(message).data;
}
