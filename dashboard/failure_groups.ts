/**
 * Failures that are the same problem: one type, and one message once what differs from task to task is left out.
 */
import type { Task } from "../src/core.ts";

/** Failures with one cause, as far as their messages say. */
export interface FailureGroup {
  readonly type: string;
  /** The message without ids, numbers and the like. */
  readonly message: string;
  readonly count: number;
  /** The latest one's own message and id. */
  readonly sample: { readonly id: number; readonly message: string };
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** When each of them ended. */
  readonly timesMs: readonly number[];
}

/** Longer messages are compared by their beginnings. */
const COMPARED_MAX = 300;

/** What differs between messages of one cause, and what stands for it. The order matters: a UUID holds numbers. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, "<uuid>"],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b/g, "<time>"],
  [/\bhttps?:\/\/[^\s"'<>]+/gi, "<url>"],
  [/[\w.+-]+@[\w-]+\.[\w.-]+/g, "<address>"],
  [/"[^"]*"|'[^']*'|`[^`]*`/g, "<text>"],
  [/\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, "<hex>"],
  [/\d+(?:[.,]\d+)*/g, "<n>"],
];

/** The message without what differs from task to task. */
export function normalized(message: string): string {
  const line = message.slice(0, COMPARED_MAX).split("\n", 1)[0]!.trim();
  return PARTS.reduce((text, [pattern, name]) => text.replace(pattern, name), line);
}

/** Failed tasks, grouped part by part, so that other work can go on in between. */
export class FailureGroups {
  readonly #groups = new Map<string, Task[]>();
  #count = 0;

  /** How many tasks there are in all groups. */
  get count(): number {
    return this.#count;
  }

  /** Adds tasks. Their payloads and results are not kept. */
  add(tasks: readonly Task[]): void {
    for (const task of tasks) {
      const key = `${task.type}\n${normalized(task.errorMessage ?? "")}`;
      const kept = { ...task, payload: null, result: null };
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, [kept]);
      else group.push(kept);
    }
    this.#count += tasks.length;
  }

  /** The groups, those with most tasks first. */
  sorted(): FailureGroup[] {
    return [...this.#groups.values()].map(groupOf).sort((a, b) => b.count - a.count);
  }
}

function groupOf(tasks: readonly Task[]): FailureGroup {
  const timesMs = tasks.map(({ finishedAt, updatedAt }) => (finishedAt ?? updatedAt).getTime());
  const latest = tasks[timesMs.indexOf(Math.max(...timesMs))]!;
  const message = latest.errorMessage ?? "";
  return {
    type: latest.type,
    message: normalized(message),
    count: tasks.length,
    sample: { id: latest.id, message },
    firstAt: new Date(Math.min(...timesMs)),
    lastAt: new Date(Math.max(...timesMs)),
    timesMs,
  };
}
