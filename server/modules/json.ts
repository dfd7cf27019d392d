/**
 * Modules as JSON.
 */
import { z } from "@hono/zod-openapi";
import {
  type HandlerEntry,
  jsonSchemaOf,
  type ModuleParameter,
  type StandardSchema,
} from "../../src/core.ts";
import type { ModuleSchema } from "./schemas.ts";

/** A module: what a handler says of itself. Its schema describes the input, before defaults and conversions. */
export function moduleJson(entry: HandlerEntry): z.infer<typeof ModuleSchema> {
  return {
    id: entry.type,
    name: entry.name,
    description: entry.description,
    parameters_schema: entry.payload === null ? null : inputSchemaOf(entry.payload),
    parameters: entry.parameters?.map(parameterJson) ?? null,
  };
}

/** Of a schema of zod also what JSON Schema cannot express, as anything; of any other library what it says of itself, if it does. */
function inputSchemaOf(schema: StandardSchema): Record<string, unknown> | null {
  if (schema["~standard"].vendor !== "zod") return jsonSchemaOf(schema);
  return z.toJSONSchema(schema as unknown as z.ZodType, { io: "input", unrepresentable: "any" });
}

function parameterJson(
  parameter: ModuleParameter,
): NonNullable<z.infer<typeof ModuleSchema>["parameters"]>[number] {
  const { minLength, maxLength, visibleWhen, options, ...same } = parameter;
  return {
    ...same,
    min_length: minLength,
    max_length: maxLength,
    options: options === null ? null : [...options],
    visible_when: visibleWhen === null
      ? null
      : { parameter: visibleWhen.parameter, one_of: [...visibleWhen.oneOf] },
  };
}
