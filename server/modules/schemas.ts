/**
 * Modules over HTTP: bodies, parameters and answers.
 */
import { z } from "@hono/zod-openapi";
import { PARAMETER_TYPES, TASK_LIMITS } from "../../src/core.ts";
import { countSchema, EXAMPLE, nameSchema, valueSchema } from "../http/fields.ts";
import { RunSchema } from "../runs/schemas.ts";
import { isCreatedSchema, RUN_BATCH_MAX, schedulingFields } from "../tasks/schemas.ts";

/** `{id}` of a module. */
export const ModuleParams = z.object({
  id: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
    param: { name: "id", in: "path" },
    description: "The module: a task type with a handler",
    example: "email",
  }),
});

/** The body that runs a module. */
export const RunBody = z.strictObject({
  parameters: valueSchema.openapi({
    description: "The module's input, a JSON value that its schema accepts",
    example: EXAMPLE.payload,
  }),
  ...schedulingFields,
}).openapi("RunRequest");

/** The body that runs several modules at once. */
export const RunBatchBody = z.strictObject({
  runs: z.array(
    z.strictObject({
      module_id: nameSchema(TASK_LIMITS.typeMaxLength).openapi({
        description: "The module to run",
        example: "email",
      }),
      parameters: valueSchema.openapi({
        description: "The module's input, a JSON value that its schema accepts",
        example: EXAMPLE.payload,
      }),
      ...schedulingFields,
    }),
  ).min(1).max(RUN_BATCH_MAX),
}).openapi("RunBatchRequest");

/** The runs of a batch: what is small of each, since a key may name the same large one a thousand times. */
export const RunBatchSchema = z.object({
  runs: z.array(
    RunSchema.pick({ run_id: true, module_id: true, status: true }).extend({
      created: isCreatedSchema,
    }).openapi("BatchedRun"),
  ).openapi({ description: "In the order of the request, without parameters and results" }),
  created: countSchema.openapi({
    description: "How many are new; the others were named by their idempotency keys already",
    example: 1,
  }),
}).openapi("RunBatch");

const parameterValueSchema = z.union([z.number(), z.string(), z.boolean()]);

/** A parameter of a module, said so that a form can be made of it. */
const ParameterSchema = z.object({
  name: z.string().openapi({ example: "copies" }),
  type: z.enum(PARAMETER_TYPES).openapi({ example: "number" }),
  label: z.string().openapi({ example: "Copies" }),
  description: z.string().openapi({ example: "How many to print" }),
  required: z.boolean(),
  default: parameterValueSchema.nullable().openapi({ example: 1 }),
  min: z.number().nullable().openapi({ example: 1 }),
  max: z.number().nullable().openapi({ example: 100 }),
  integer: z.boolean(),
  min_length: z.number().nullable(),
  max_length: z.number().nullable(),
  pattern: z.string().nullable().openapi({ description: "All of the text must match it" }),
  options: z.array(z.union([z.string(), z.number()])).nullable(),
  visible_when: z.object({
    parameter: z.string().openapi({ description: "The name of an earlier parameter" }),
    one_of: z.array(parameterValueSchema),
  }).nullable().openapi({ description: "It may be given only when this holds; null for always" }),
}).openapi("ModuleParameter");

/** A module. */
export const ModuleSchema = z.object({
  id: z.string().openapi({ example: "email" }),
  name: z.string().openapi({ example: "email" }),
  description: z.string().openapi({ example: "Sends an email" }),
  parameters_schema: z.record(z.string(), z.unknown()).nullable().openapi({
    description: "JSON Schema of the parameters; null when anything is accepted",
    example: { type: "object", properties: { to: { type: "string" } }, required: ["to"] },
  }),
  parameters: z.array(ParameterSchema).nullable().openapi({
    description: "The parameters one by one, for a form; null when the module does not define them",
    example: null,
  }),
}).openapi("Module");

/** All modules. */
export const ModuleListSchema = z.object({ modules: z.array(ModuleSchema) }).openapi("ModuleList");
