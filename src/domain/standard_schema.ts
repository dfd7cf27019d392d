/**
 * Standard Schema, the interface that zod, valibot, arktype and others share: https://standardschema.dev.
 *
 * What is stored is a value as it was given; what a schema makes of it is for whoever reads it. So no value is converted twice.
 */
/** Something that is wrong with a value. */
export interface SchemaIssue {
  /** What is wrong, for people. */
  readonly message: string;
  /** Where in the value; default the value itself. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
}

/** The verdict of a schema: the value as the schema gives it, or every problem. */
export type SchemaVerdict<Output = unknown> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** A schema of any library that follows Standard Schema 1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the standard defines. */
  readonly "~standard": {
    /** Which version of the standard it follows. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Checks a value; a schema that has to wait for something gives a promise. */
    readonly validate: (
      value: unknown,
    ) => SchemaVerdict<Output> | Promise<SchemaVerdict<Output>>;
    /** The types that it takes and gives, for the compiler alone. */
    readonly types?: { readonly input: Input; readonly output: Output };
  };
}

/** What a value must be to be accepted by a schema. */
export type InputOf<Schema> = Schema extends
  { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input } ? Input : unknown
  : unknown;

/** What a schema makes of a value that it accepts. */
export type OutputOf<Schema> = Schema extends
  { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output } ? Output : unknown
  : unknown;

/** `schema`, for what `role` says. @throws TypeError when it does not follow the standard. */
export function checkSchema(schema: unknown, role: string): StandardSchema {
  const holder = typeof schema === "function" || typeof schema === "object" ? schema : null;
  const standard: unknown = holder === null ? null : Reflect.get(holder, "~standard");
  const isSchema = typeof standard === "object" && standard !== null &&
    typeof Reflect.get(standard, "validate") === "function";
  if (isSchema) return schema as StandardSchema;
  throw new TypeError(
    `Cannot use ${schema === null ? "null" : typeof schema} as ${role}: ` +
      "a schema is needed that follows Standard Schema, as those of zod, valibot and arktype do",
  );
}

/** How a checked value is called in messages: `Cannot accept the payload of "email": payload.to: …`. */
export interface Checked {
  /** `payload` or `result`. */
  readonly part: "payload" | "result";
  /** The task type. */
  readonly type: string;
}

/** `value` as `schema` gives it. @throws TypeError with every problem when it is refused. */
export async function accepted<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  checked: Checked,
): Promise<Output> {
  return acceptedBy(await schema["~standard"].validate(value), checked);
}

/** The same at once. @throws TypeError also when the schema has to wait for something. */
export function acceptedAtOnce<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  checked: Checked,
): Output {
  const verdict = schema["~standard"].validate(value);
  if (!(verdict instanceof Promise)) return acceptedBy(verdict, checked);
  verdict.catch(() => {}); // the caller is told that nobody waits for it
  throw new TypeError(
    `Cannot check the ${checked.part} of ${
      JSON.stringify(checked.type)
    } at once: its schema is asynchronous ` +
      "(it needs scheduleTask, a definition's enqueue, enqueue over HTTP, or no check before it runs)",
  );
}

/** Where a problem is, as keys from the value on. */
export function pathOf({ path = [] }: SchemaIssue): readonly PropertyKey[] {
  return path.map((step) => typeof step === "object" ? step.key : step);
}

function acceptedBy<Output>(verdict: SchemaVerdict<Output>, { part, type }: Checked): Output {
  if (verdict.issues === undefined) return verdict.value;
  const problems = verdict.issues.map((issue) =>
    `${[part, ...pathOf(issue)].map(String).join(".")}: ${issue.message}`
  );
  throw new TypeError(
    `Cannot accept the ${part} of ${JSON.stringify(type)}: ${problems.join("; ")}`,
  );
}

/**
 * The JSON schema of what `schema` takes, where its library follows Standard JSON Schema, as zod and arktype do; `null` where it
 * does not, or has none for this schema.
 */
export function jsonSchemaOf(schema: StandardSchema): Record<string, unknown> | null {
  const { jsonSchema } = schema["~standard"] as {
    readonly jsonSchema?: { input(options: { target: string }): Record<string, unknown> };
  };
  if (jsonSchema === undefined) return null;
  try {
    return jsonSchema.input({ target: "draft-2020-12" });
  } catch {
    return null; // the standard's way to say that JSON Schema cannot express it
  }
}
