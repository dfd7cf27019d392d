/**
 * Tasks as text for people: the table of `list`, the page of `show`, lines about one task.
 */
import Table from "cli-table3";
import type { LogLine, Task } from "../src/mod.ts";

const LIST_COLUMNS = ["id", "status", "type", "priority", "attempts", "created", "run id"];

/** Columns stand beside each other without borders, which leaves room for run ids. */
const TABLE_CHARS = {
  ...{ "top": "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ "bottom": "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ "left": "", "left-mid": "", "mid": "", "mid-mid": "" },
  ...{ "right": "", "right-mid": "", "middle": "" },
};

const TABLE_STYLE = { "head": [], "border": [], "padding-left": 0, "padding-right": 2 };

/** `text` with control characters made visible, so stored text cannot command the terminal. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A table with a head, without colour. */
export function tableOf(head: readonly string[], rows: readonly string[][]): string {
  const table = new Table({ head: [...head], chars: TABLE_CHARS, style: TABLE_STYLE });
  table.push(...rows);
  return table.toString();
}

/** Tasks as a table, for a terminal. */
export function taskTable(tasks: readonly Task[]): string {
  return tableOf(LIST_COLUMNS, tasks.map(listRow));
}

/** Tasks as lines of tab-separated fields without a head, for a pipe. */
export function taskLines(tasks: readonly Task[]): string {
  return tasks.map((task) => listRow(task).join("\t")).join("\n");
}

function listRow(task: Task): string[] {
  return [
    String(task.id),
    task.status,
    task.type,
    String(task.priority),
    `${task.attempts}/${task.maxAttempts}`,
    task.createdAt.toISOString(),
    task.runId,
  ];
}

/** Everything worth knowing about a task, one field a line. */
export function taskPage(task: Task): string {
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
    .map(([name, value]) => `${name.padEnd(10)}${printable(value)}`)
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
