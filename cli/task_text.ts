/**
 * Tasks as text for people: the table of `list`, the page of `show`, lines about one task.
 */
import type { LogLine } from "../src/mod.ts";
import type { TaskDocument } from "./queue_access.ts";
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

/** What commands a terminal, and what turns around the direction in which text is shown. */
// deno-lint-ignore no-control-regex
const COMMANDING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `text` with such characters made visible, so stored text cannot command the terminal or look like other text. */
export function printable(text: string): string {
  return text.replace(COMMANDING, (character) => {
    const hex = character.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
  });
}

/** JSON with such characters escaped, which changes nothing for a parser. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(COMMANDING, (character) => {
    return character === "\n"
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A task as a row under `TASK_COLUMNS`. */
export function taskRow(task: TaskDocument): string[] {
  return [
    String(task.id),
    task.status,
    printable(task.type),
    String(task.priority),
    `${task.attempts}/${task.max_attempts}`,
    task.created_at_utc,
    printable(task.run_id),
  ];
}

/** Everything worth knowing about a task, one field a line. */
export function taskPage(task: TaskDocument, style: Style): string {
  const fields: [string, string | null][] = [
    ["task", String(task.id)],
    ["run id", task.run_id],
    ["type", task.type],
    ["status", statusText(task)],
    ["priority", String(task.priority)],
    ["attempts", `${task.attempts} of ${task.max_attempts}`],
    ["created", task.created_at_utc],
    ["waits for", task.waits_for > 0 ? `${task.waits_for} tasks` : null],
    ["run after", task.run_after_utc > task.created_at_utc ? task.run_after_utc : null],
    ["started", task.processing_started_utc],
    ["finished", task.finished_at_utc],
    ["worker", task.locked_by],
    ["expires", task.expires_at],
    ["key", task.idempotency_key],
    ["unique", task.unique_key],
    ["order", task.ordering_key],
    ["tags", task.tags.length === 0 ? null : task.tags.join(", ")],
    ["needs", jsonUnlessEmpty(task.compatibility)],
    ["payload", JSON.stringify(task.payload)],
    ["progress", progressText(task)],
    ["result", task.status === "completed" ? JSON.stringify(task.result) : null],
    ["error", task.error_message],
  ];
  return fields
    .filter((field): field is [string, string] => field[1] !== null)
    .map(([name, value]) => {
      const paint = name === "status" ? statusStyle(style, task.status) : (text: string) => text;
      return `${style.dim(name)}${" ".repeat(10 - name.length)}${paint(printable(value))}`;
    })
    .join("\n");
}

function statusText({ status, lease_until_utc: until }: TaskDocument): string {
  return until === null ? status : `${status} until ${until}`;
}

function jsonUnlessEmpty(pairs: Readonly<Record<string, unknown>>): string | null {
  return Object.keys(pairs).length === 0 ? null : JSON.stringify(pairs);
}

function progressText(
  { progress_percent: percent, progress_message: message }: TaskDocument,
): string | null {
  if (percent === null) return null;
  return message === null ? `${percent} %` : `${percent} % ${message}`;
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
