/**
 * The fields of a new task as zod schemas, made from the table of a task's fields: each checks what its kind and range say
 * before the queue is asked, so that a refusal names its field.
 */
import { z } from "@hono/zod-openapi";
import {
  checkWebhookUrl,
  defaultText,
  type FieldTable,
  helpText,
  KEPT_FIELD_NAMES,
  type KeptFieldName,
  messageOf,
  type RetryPolicyBody,
  type SnakeName,
  snakeName,
  type Task,
  TASK_FIELDS,
  TASK_LIMITS,
  type TaskBody,
  type TaskField,
  toNewTask,
  toTaskBody,
} from "../../src/core.ts";
import { instantSchema, instantWithZone, jsonObject, keySchema, nameSchema } from "./fields.ts";

/** The schemas of a body's fields. */
export type BodyShape<Body> = {
  [Name in keyof Body]-?: undefined extends Body[Name]
    ? z.ZodOptional<z.ZodType<Exclude<Body[Name], undefined>, Exclude<Body[Name], undefined>>>
    : z.ZodType<Body[Name], Body[Name]>;
};

/** The fields that a task keeps as they were given, as an answer writes them. */
export type KeptJson = {
  readonly [Name in KeptFieldName as SnakeName<Name>]: Name extends "retryPolicy"
    ? Required<RetryPolicyBody> | null
    : Task[Name] extends Date | null ? string | null
    : Task[Name];
};

/** Their schemas. */
export type KeptShape = { [Name in keyof KeptJson]: z.ZodType<KeptJson[Name], KeptJson[Name]> };

type TaskFieldName = keyof typeof TASK_FIELDS;

/** A body's part that these fields of a task make. */
export type BodyOf<Name extends TaskFieldName> = Pick<TaskBody, SnakeName<Name>>;

/** The schemas of some fields of a new task, by their names in a body. */
export function taskBodyShape<Name extends TaskFieldName>(
  names: readonly Name[],
): BodyShape<BodyOf<Name>> {
  const fields = names.map((name) => [name, TASK_FIELDS[name]]);
  return shapeOf(Object.fromEntries(fields)) as unknown as BodyShape<BodyOf<Name>>;
}

/** The schemas of the fields that a task keeps, in answers: whatever is stored, without the ranges of a body. */
export function keptShape(): KeptShape {
  const shape = KEPT_FIELD_NAMES.map((name) => {
    const field = TASK_FIELDS[name];
    const isAlways = field.isRequired === true || field.default !== undefined;
    const schema = isAlways ? storedValueOf(field) : storedValueOf(field).nullable();
    const description = capitalized(helpText(name, field));
    const example = isAlways ? field.default ?? field.example : null;
    return [snakeName(name), schema.openapi({ description, example })];
  });
  return Object.fromEntries(shape) as KeptShape;
}

/** The kept fields of a task as an answer writes them. */
export function keptJson(task: Pick<Task, KeptFieldName>): KeptJson {
  const kept = Object.fromEntries(KEPT_FIELD_NAMES.map((name) => [name, task[name]]));
  return toTaskBody(kept) as unknown as KeptJson;
}

/** The kept fields that `json` says. */
export function keptOf(json: KeptJson): Pick<Task, KeptFieldName> {
  const fields = toNewTask(json as unknown as Partial<TaskBody>) as unknown as Task;
  return Object.fromEntries(
    KEPT_FIELD_NAMES.map((name) => [name, keptValueOf(name, fields[name])]),
  ) as unknown as Pick<Task, KeptFieldName>;
}

function keptValueOf(name: KeptFieldName, value: unknown): unknown {
  return TASK_FIELDS[name].kind === "instant" && value !== null ? new Date(String(value)) : value;
}

function storedValueOf(field: TaskField): z.ZodType {
  switch (field.kind) {
    case "integer":
      return z.number().int();
    case "pairs":
      return z.record(z.string(), z.unknown());
    case "object":
      return z.object(
        Object.fromEntries(
          Object.entries(field.fields).map((
            [name, part],
          ) => [snakeName(name), storedValueOf(part)]),
        ),
      );
    case "number":
      return z.number();
    case "instant":
      return instantSchema;
    case "names":
      return z.array(z.string());
    default:
      return z.string();
  }
}

function shapeOf(fields: FieldTable): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [snakeName(name), fieldSchema(name, field)]),
  );
}

/** The schema of a field, with its documentation. */
function fieldSchema(name: string, field: TaskField): z.ZodType {
  const { example, isRequired } = field;
  const help = helpText(name, field);
  const otherwise = defaultText(field);
  const says = otherwise === undefined ? help : `${help}; default ${otherwise}`;
  const description = capitalized(says);
  const schema = isRequired ? valueOf(field) : valueOf(field).optional();
  return schema.openapi(example === undefined ? { description } : { description, example });
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function valueOf(field: TaskField): z.ZodType {
  switch (field.kind) {
    case "name":
      return nameSchema(field.maxLength);
    case "key":
      return keySchema();
    case "json":
      return z.unknown();
    case "pairs":
      return jsonObject();
    case "integer":
      return z.number().int().min(field.min).max(field.max);
    case "number":
      return z.number().min(field.min).max(field.max);
    case "instant":
      return instantWithZone();
    case "choice":
      return z.enum(field.choices);
    case "choices":
      return z.array(z.enum(field.choices)).min(1).max(field.choices.length);
    case "names":
      return z.array(nameSchema(field.maxLength)).max(field.max);
    case "references":
      return z.array(referenceSchema()).max(field.max);
    case "url":
      return urlSchema();
    case "object":
      return z.strictObject(shapeOf(field.fields));
  }
}

/** A task id, or a run id. */
function referenceSchema(): z.ZodType {
  const id = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
  return z.union([id, nameSchema(TASK_LIMITS.runIdMaxLength)]);
}

/** A URL that a webhook can have. */
function urlSchema(): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      checkWebhookUrl(text);
    } catch (thrown) {
      context.addIssue({ code: "custom", message: messageOf(thrown) });
    }
  });
}
