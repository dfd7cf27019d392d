/**
 * Modules as JSON.
 */
import { z } from "@hono/zod-openapi";
import type { HandlerEntry, ModuleParameter } from "../../src/mod.ts";
import type { ModuleSchema } from "./schemas.ts";

/** A module: what a handler says of itself. Its schema describes the input, before defaults and conversions. */
export function moduleJson(entry: HandlerEntry): z.infer<typeof ModuleSchema> {
  return {
    id: entry.type,
    name: entry.name,
    description: entry.description,
    parameters_schema: entry.payload === null
      ? null
      : z.toJSONSchema(entry.payload as z.ZodType, { io: "input", unrepresentable: "any" }),
    parameters: entry.parameters?.map(parameterJson) ?? null,
  };
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
