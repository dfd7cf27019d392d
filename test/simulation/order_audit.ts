/**
 * Looks at each change of a task in the journal: tasks of one ordering key start one at a time, none before another that is not final and
 * comes before it.
 */
import { isFinal, type Task } from "../../src/domain/task.ts";
import type { EventLog } from "./event_log.ts";
import { describe } from "./facts.ts";

/** The tasks of all keys that are not final. */
export class OrderAudit {
  readonly #log: EventLog;
  readonly #liveOf = new Map<string, Map<number, Task>>();

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
    if (status !== "leased" || before?.status === "leased") return;
    const others = [...live.values()].filter((other) => other.id !== id);
    if (others.length > 0) this.#log.count("starts before others of the ordering key");
    const first = others.find((other) =>
      other.status === "leased" || placeOf(other) < placeOf(task)
    );
    if (first === undefined) return;
    this.#log.violate(`${describe(task)} starts under "${key}" before ${describe(first)}`);
  }
}

function placeOf({ id, orderingPlace }: Task): number {
  return orderingPlace ?? id;
}
