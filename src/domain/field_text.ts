/**
 * What help and docs say of a task's field: its range, meaning and default in words.
 */
import type { TaskField } from "./task_fields.ts";

/** A field's range in words, such as `1–100`; nothing where its kind says it all. */
export function rangeText(field: TaskField): string | undefined {
  switch (field.kind) {
    case "integer":
    case "number":
      return `${grouped(field.min)}–${grouped(field.max)}`;
    case "name":
      return `1–${grouped(field.maxLength)} characters`;
    case "key":
    case "url":
      return `at most ${grouped(field.maxLength)} characters`;
    case "choice":
      return `one of ${field.choices.join(", ")}`;
    case "choices":
      return `some of ${field.choices.join(", ")}`;
    case "names":
      return `at most ${grouped(field.max)}, each of 1–${grouped(field.maxLength)} characters`;
    case "references":
      return `at most ${grouped(field.max)}`;
    default:
      return undefined;
  }
}

/** What a field means, with its unit, as it is written. */
export function helpText(name: string, { help }: TaskField): string {
  return name.endsWith("Ms") ? `${help}, in milliseconds` : help;
}

/** What holds where a field is not given; nothing where it must be. */
export function defaultText(field: TaskField): string | undefined {
  const { default: value, defaultText: text } = field;
  if (text !== undefined || value === undefined) return text;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Digits in groups of three. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
