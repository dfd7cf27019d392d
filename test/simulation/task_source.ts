/**
 * The tasks of a simulation, and the handlers that do what a task's payload says.
 */
import { type Clock, sleep } from "../../src/domain/clock.ts";
import { PermanentError, RetryAfterError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import { HandlerRegistry, type TaskContext } from "../../src/worker/handler_registry.ts";
import type { Chance } from "./chance.ts";

/** What an execution does. */
type Behaviour =
  | "succeed"
  | "fail"
  | "refuse"
  | "ask for later"
  | "take long"
  | "hang"
  | "heed"
  | "report";

interface Payload {
  readonly marker: string;
  readonly behaviour: Behaviour;
  readonly durationMs: number;
  readonly padding?: string;
}

/** A few dozen of such payloads, and the journal is worth a checkpoint. */
const BULKY_LENGTH = 200_000;

/** The task types that there are. */
export const TASK_TYPES = ["alpha", "beta", "gamma"] as const;

/** Whose tasks are, where they have groups. */
export const TASK_GROUPS = ["a", "b", "c"] as const;

/** What some tasks can be found by. */
const TAGS: readonly (readonly string[] | undefined)[] = [undefined, ["x", "y"], undefined, ["y"]];

/** What some tasks need and some workers have. */
export const CAPABILITIES = { zone: "north" } as const;

const BEHAVIOURS: Readonly<Record<Behaviour, number>> = {
  "succeed": 8,
  "fail": 3,
  "refuse": 1,
  "ask for later": 1,
  "take long": 2,
  "hang": 1,
  "heed": 1,
  "report": 2,
};

/** Makes tasks, each with a marker of its own. */
export class TaskSource {
  readonly #isBulky: boolean;
  readonly #hasGroups: boolean;
  #made = 0;

  constructor(
    { isBulky, hasGroups }: { readonly isBulky: boolean; readonly hasGroups: boolean },
  ) {
    this.#isBulky = isBulky;
    this.#hasGroups = hasGroups;
  }

  /** A task by chance. Those with the same key ask, with few exceptions, for the same thing. */
  make(chance: Chance, nowMs: number): NewTask {
    if (chance.happens(0.2)) return keyedTask(chance, ++this.#made);
    if (chance.happens(0.1)) return uniqueTask(chance);
    return this.makeUnkeyed(chance, nowMs);
  }

  /** A task by chance that has no key. */
  makeUnkeyed(chance: Chance, nowMs: number): NewTask {
    const number = ++this.#made;
    const runId = chance.happens(0.85) ? `run-${number}` : undefined;
    return {
      type: chance.pick(TASK_TYPES),
      payload: randomPayload(chance, { marker: `task-${number}`, isBulky: this.#isBulky }),
      runId,
      priority: 1 + chance.below(3),
      maxAttempts: 1 + chance.below(4),
      runAfter: chance.happens(0.15) ? new Date(nowMs + chance.below(2000)) : undefined,
      expiresAt: chance.happens(0.1) ? new Date(nowMs + 2000 + chance.below(3000)) : undefined,
      compatibility: chance.happens(0.1) ? CAPABILITIES : undefined,
      group: this.#hasGroups ? chance.pick([undefined, ...TASK_GROUPS]) : undefined,
      ...orderOf(chance, number),
      tags: TAGS[number % TAGS.length],
      timeoutMs: chance.happens(0.1) ? 1 + chance.below(500) : undefined,
      retryPolicy: { initialDelayMs: chance.pick([0, 10, 100]), maxDelayMs: 500 },
    };
  }
}

/** One in five stands under an ordering key, every second of those is held up by one that failed. */
function orderOf(
  chance: Chance,
  number: number,
): Pick<NewTask, "orderingKey" | "onPredecessorFailure"> {
  if (!chance.happens(0.2)) return {};
  const orderingKey = `order-${chance.below(3)}`;
  return number % 2 === 0 ? { orderingKey } : { orderingKey, onPredecessorFailure: "hold" };
}

/** Those under one key are the same, but for what becomes of them when there is one. */
function uniqueTask(chance: Chance): NewTask {
  const key = `unique-${chance.below(3)}`;
  const mode = chance.pick(["queued", "incomplete", "debounce"] as const);
  const window = mode === "debounce" ? { windowMs: 1500, maxWaitMs: 4000 } : {};
  return {
    type: "beta",
    payload: { marker: key, behaviour: "take long", durationMs: 200 },
    unique: { key, mode, ...window },
    maxAttempts: 3,
  };
}

function keyedTask(chance: Chance, number: number): NewTask {
  const key = `key-${chance.below(5)}`;
  const content = chance.happens(0.1) ? "other" : "usual";
  return {
    type: "alpha",
    payload: { marker: `${key} ${content}`, behaviour: "succeed", durationMs: 5 },
    runId: chance.happens(0.5) ? `run-${number}` : undefined,
    idempotencyKey: key,
    maxAttempts: 3,
  };
}

function randomPayload(
  chance: Chance,
  { marker, isBulky }: { readonly marker: string; readonly isBulky: boolean },
): Payload {
  return {
    marker,
    behaviour: chance.weighted(BEHAVIOURS),
    durationMs: chance.pick([0, 1, 20, 200, 2000]),
    padding: isBulky
      ? "x".repeat(BULKY_LENGTH)
      : chance.happens(0.25)
      ? "·".repeat(chance.below(chance.pick([300, 1500, 1500, 20_000])))
      : undefined,
  };
}

/** The handlers of these types, in a process with this clock. */
export function handlersFor(types: readonly string[], clock: Clock): HandlerRegistry {
  const registry = new HandlerRegistry();
  for (const type of types) {
    registry.register(
      type,
      (task: Task, context) => behave(task, context, clock),
      {
        retryPolicy: { initialDelayMs: 10, maxDelayMs: 500 },
      },
    );
  }
  return registry;
}

/** Thrown again and again: a worker logs the stack, and to write one out takes longer than the execution. */
const FAILURE = new Error("as its payload says");
const REFUSAL = new PermanentError("as its payload says");

async function behave(
  { payload, leaseToken }: Task,
  context: TaskContext,
  clock: Clock,
): Promise<unknown> {
  const { behaviour, durationMs } = payload as Payload;
  switch (behaviour) {
    case "succeed":
      return { of: leaseToken };
    case "fail":
      throw FAILURE;
    case "refuse":
      throw REFUSAL;
    case "ask for later":
      throw new RetryAfterError(durationMs);
    case "take long":
    case "heed":
      await sleep(clock, durationMs, context.signal);
      context.signal.throwIfAborted();
      return "done";
    case "hang":
      await sleep(clock, 5 * durationMs);
      return "late";
    case "report":
      context.progress(10, "begun");
      await sleep(clock, durationMs);
      context.progress(90);
      return null;
  }
}
