/**
 * A module's form: its fields from the definitions of its parameters or from its JSON Schema, and the payload from what was sent.
 *
 * The form is a help only: the handler's own schema checks the payload when it is enqueued.
 */
import { z } from "@hono/zod-openapi";
import type { HandlerEntry } from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";
import { payloadOf } from "./new_task.ts";

/** A field of a form. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly kind: "string" | "number" | "integer" | "boolean" | "choice" | "json";
  readonly isRequired: boolean;
  /** What stands there at first. */
  readonly value: string;
  readonly choices: readonly string[];
  readonly min?: number;
  readonly max?: number;
}

/** The part of a JSON Schema that a form is made of. */
interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** The fields of a module; `undefined` when its payload is no object of known properties. */
export function formFieldsOf(entry: HandlerEntry): FormField[] | undefined {
  const schema = schemaOf(entry);
  if (schema?.type !== "object" || schema.properties === undefined) return undefined;
  return Object.entries(schema.properties).map(([name, each]) => {
    const parameter = entry.parameters?.find((known) => known.name === name);
    return {
      name,
      label: parameter?.label ?? each.title ?? name,
      description: parameter?.description ?? each.description ?? "",
      kind: kindOf(each),
      isRequired: (schema.required?.includes(name) ?? false) && each.default === undefined,
      value: valueText(each.default),
      choices: (each.enum ?? []).map(String),
      min: each.minimum,
      max: each.maximum,
    };
  });
}

function schemaOf({ payload }: HandlerEntry): Schema | undefined {
  if (payload === null) return undefined;
  return z.toJSONSchema(payload as z.ZodType, { io: "input", unrepresentable: "any" }) as Schema;
}

function kindOf({ type, enum: choices }: Schema): FormField["kind"] {
  if (choices !== undefined) return "choice";
  if (type === "string" || type === "number" || type === "integer" || type === "boolean") {
    return type;
  }
  return "json";
}

function valueText(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The payload that a form sent. @throws HttpError `VALIDATION_ERROR`. */
export function sentPayload(
  entry: HandlerEntry,
  sent: Readonly<Record<string, string>>,
): unknown {
  const fields = formFieldsOf(entry);
  if (fields === undefined) return payloadOf(sent.payload ?? "");
  const schema = schemaOf(entry)!;
  return Object.fromEntries(fields.flatMap((field) => {
    const text = sent[`p:${field.name}`];
    if (field.kind === "boolean") return [[field.name, text === "true"]];
    if (text === undefined || (text === "" && !field.isRequired)) return [];
    return [[field.name, valueOf(field, text, schema.properties![field.name]!)]];
  }));
}

function valueOf({ kind, name }: FormField, text: string, schema: Schema): unknown {
  if (kind === "string") return text;
  if (kind === "choice") return schema.enum!.find((each) => String(each) === text) ?? text;
  if (kind === "json") return payloadOf(text);
  if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  throw new HttpError(
    "VALIDATION_ERROR",
    `Cannot use ${JSON.stringify(text)} as ${name}: a number is needed`,
  );
}
