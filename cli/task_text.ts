/**
 * Tasks as text for people: the table of `list`, the page of `show`, lines about one task.
 */
import type { LogLine, Task } from "../src/mod.ts";
import { statusStyle, type Style } from "./style.ts";

/** The columns of a table of tasks. */
export const TASK_COLUMNS: readonly string[] = [
  "id",
  "status",
  "type",
  "priority",
  "attempts",
  "created",
  "run id",
];

/** `text` with control characters made visible, so stored text cannot command the terminal. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A task as a row under `TASK_COLUMNS`. */
export function taskRow(task: Task): string[] {
  return [
    String(task.id),
    task.status,
    printable(task.type),
    String(task.priority),
    `${task.attempts}/${task.maxAttempts}`,
    task.createdAt.toISOString(),
    printable(task.runId),
  ];
}

/** Everything worth knowing about a task, one field a line. */
export function taskPage(task: Task, style: Style): string {
  const fields: [string, string | null][] = [
    ["task", String(task.id)],
    ["run id", task.runId],
    ["type", task.type],
    ["status", statusText(task)],
    ["priority", String(task.priority)],
    ["attempts", `${task.attempts} of ${task.maxAttempts}`],
    ["created", task.createdAt.toISOString()],
    ["run after", task.runAfter > task.createdAt ? task.runAfter.toISOString() : null],
    ["started", task.processingStarted?.toISOString() ?? null],
    ["finished", task.finishedAt?.toISOString() ?? null],
    ["worker", task.lockedBy],
    ["key", task.idempotencyKey],
    ["needs", jsonUnlessEmpty(task.compatibility)],
    ["payload", JSON.stringify(task.payload)],
    ["progress", progressText(task)],
    ["result", task.status === "completed" ? JSON.stringify(task.result) : null],
    ["error", task.errorMessage],
  ];
  return fields
    .filter((field): field is [string, string] => field[1] !== null)
    .map(([name, value]) => {
      const paint = name === "status" ? statusStyle(style, task.status) : (text: string) => text;
      return `${style.dim(name)}${" ".repeat(10 - name.length)}${paint(printable(value))}`;
    })
    .join("\n");
}

function statusText(task: Task): string {
  if (task.leaseUntil === null) return task.status;
  return `${task.status} until ${task.leaseUntil.toISOString()}`;
}

function jsonUnlessEmpty(pairs: Readonly<Record<string, unknown>>): string | null {
  return Object.keys(pairs).length === 0 ? null : JSON.stringify(pairs);
}

function progressText(task: Task): string | null {
  if (task.progress === null) return null;
  return task.progressMessage === null
    ? `${task.progress} %`
    : `${task.progress} % ${task.progressMessage}`;
}

/** A line of a task's log. An error's stack is left to `--json`. */
export function logText({ at, level, message, details }: LogLine): string {
  const text = `${at} ${level.padEnd(5)} ${printable(message)}`;
  return details === undefined || isStack(details)
    ? text
    : `${text} ${printable(JSON.stringify(details))}`;
}

function isStack(details: unknown): boolean {
  return typeof details === "object" && details !== null && "stack" in details;
}

/** A size for people. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** A duration for people, in the largest unit that keeps it short. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
