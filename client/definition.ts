/**
 * What the client knows of a task's definition: its type and its schemas, of any library that follows Standard Schema. So the
 * definition that `defineTask` makes serves here too, and nothing is imported for it.
 */
import type { ClientRun } from "./types.ts";

/** A schema that follows Standard Schema 1. */
export interface ClientSchema<Input = unknown, Output = Input> {
  /** What the standard defines. */
  readonly "~standard": {
    /** Checks a value. */
    readonly validate: (value: unknown) => ClientVerdict<Output> | Promise<ClientVerdict<Output>>;
    /** The types that it takes and gives, for the compiler alone. */
    readonly types?: { readonly input: Input; readonly output: Output };
  };
}

/** The value as a schema gives it, or every problem. */
export type ClientVerdict<Output> = { readonly value: Output; readonly issues?: undefined } | {
  readonly issues: readonly {
    readonly message: string;
    readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
  }[];
};

/** A task type and its schemas. */
export interface ClientDefinition<
  Payload extends ClientSchema = ClientSchema,
  Result extends ClientSchema | undefined = ClientSchema | undefined,
> {
  /** The task type. */
  readonly type: string;
  /** The schema of what it takes. */
  readonly payload: Payload;
  /** The schema of its result; `undefined` for any JSON value. */
  readonly result: Result;
}

type TypesOf<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types>
  : never;

/** What a schema takes. */
export type ClientInput<Schema> = TypesOf<Schema> extends { readonly input: infer Input } ? Input
  : unknown;

/** What a schema gives. */
export type ClientOutput<Schema> = TypesOf<Schema> extends { readonly output: infer Output }
  ? Output
  : unknown;

/**
 * The result of a run as its definition's schema gives it; `null` unless the run is completed.
 *
 * @throws TypeError when the run is of another module, or the schema refuses its result.
 */
export async function resultOf<Result extends ClientSchema | undefined>(
  { type, result }: Pick<ClientDefinition<ClientSchema, Result>, "type" | "result">,
  run: Pick<ClientRun, "run_id" | "module_id" | "status" | "result">,
): Promise<ClientOutput<Result> | null> {
  if (run.module_id !== type) {
    throw new TypeError(
      `Cannot read run ${JSON.stringify(run.run_id)} as ${JSON.stringify(type)}: its module is ${
        JSON.stringify(run.module_id)
      }`,
    );
  }
  if (run.status !== "completed") return null;
  const value = result === undefined
    ? run.result
    : await accept(result, run.result, { part: "result", type });
  return value as ClientOutput<Result>;
}

/** `value` as `schema` gives it. @throws TypeError with every problem. */
export async function accept(
  schema: ClientSchema,
  value: unknown,
  { part, type }: { readonly part: string; readonly type: string },
): Promise<unknown> {
  const verdict = await schema["~standard"].validate(value);
  if (verdict.issues === undefined) return verdict.value;
  const problems = verdict.issues.map(({ message, path = [] }) => {
    const steps = path.map((step) => String(typeof step === "object" ? step.key : step));
    return `${[part, ...steps].join(".")}: ${message}`;
  });
  throw new TypeError(
    `Cannot accept the ${part} of ${JSON.stringify(type)}: ${problems.join("; ")}`,
  );
}
