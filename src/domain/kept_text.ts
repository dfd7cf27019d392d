/**
 * Texts as they are kept: bounded, and without what a database, JSON or a terminal could not take.
 */
import { messageOf } from "./errors.ts";
import { TASK_LIMITS } from "./task.ts";

/** `text` without NUL, which SQLite's texts end at, and without halves of characters; at most `maxLength` characters long. */
export function clip(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll("\0", "\ufffd").toWellFormed();
}

/** The message of work that threw `thrown`: never blank, at most 4,000 characters. */
export function failureMessage(thrown: unknown): string {
  const message = messageOf(thrown);
  const told = message.trim() === "" ? "failed without a message" : message;
  return clip(told, TASK_LIMITS.errorMessageMaxLength);
}
