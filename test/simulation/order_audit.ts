/**
 * Looks at each change of a task in the journal: tasks of one ordering key start one at a time, none before another that is not final and
 * comes before it; and one that is held up starts behind none that has failed.
 */
import { isFinal, type Task } from "../../src/domain/task.ts";
import type { EventLog } from "./event_log.ts";
import { describe } from "./facts.ts";

/** The tasks of all keys that are not final, and those that have failed. */
export class OrderAudit {
  readonly #log: EventLog;
  readonly #liveOf = new Map<string, Map<number, Task>>();
  readonly #failedOf = new Map<string, Map<number, Task>>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** A task is so now. */
  check(before: Task | undefined, task: Task): void {
    const { id, orderingKey: key, status } = task;
    if (key === null) return;
    const live = this.#liveOf.get(key) ?? new Map<number, Task>();
    this.#liveOf.set(key, live);
    if (isFinal(status)) live.delete(id);
    else live.set(id, task);
    const failed = this.#failedOf.get(key) ?? new Map<number, Task>();
    this.#failedOf.set(key, failed);
    if (status === "failed") this.#noteFailure(task, failed, live);
    else failed.delete(id);
    if (status !== "leased" || before?.status === "leased") return;
    const others = [...live.values()].filter((other) => other.id !== id);
    if (others.length > 0) this.#log.count("starts before others of the ordering key");
    this.#checkHeld(task, failed);
    const first = others.find((other) =>
      other.status === "leased" || placeOf(other) < placeOf(task)
    );
    if (first === undefined) return;
    this.#log.violate(`${describe(task)} starts under "${key}" before ${describe(first)}`);
  }

  /** Whether the first of a key waits for what has failed before it. */
  isHeldUp(key: string | null): boolean {
    if (key === null) return false;
    const live = [...this.#liveOf.get(key)?.values() ?? []];
    const first = live.toSorted((a, b) => placeOf(a) - placeOf(b))[0];
    const failed = [...this.#failedOf.get(key)?.values() ?? []];
    return first !== undefined && failed.some((each) => isHeldUpBy(first, each));
  }

  /** A task is gone: it holds up no other. */
  forget({ id, orderingKey: key }: Task): void {
    if (key !== null) this.#failedOf.get(key)?.delete(id);
  }

  #noteFailure(task: Task, failed: Map<number, Task>, live: ReadonlyMap<number, Task>): void {
    failed.set(task.id, task);
    const isHolding = [...live.values()].some((other) => isHeldUpBy(other, task));
    if (isHolding) this.#log.count("holds up others of the ordering key");
  }

  #checkHeld(task: Task, failed: ReadonlyMap<number, Task>): void {
    const holder = [...failed.values()].find((each) => isHeldUpBy(task, each));
    if (holder === undefined) return;
    this.#log.violate(
      `${describe(task)} starts under "${task.orderingKey}" although ${
        describe(holder)
      } holds it up`,
    );
  }
}

function isHeldUpBy(task: Task, failed: Task): boolean {
  return task.onPredecessorFailure === "hold" && placeOf(failed) < placeOf(task);
}

function placeOf({ id, orderingPlace }: Task): number {
  return orderingPlace ?? id;
}
