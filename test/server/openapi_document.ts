/**
 * The OpenAPI document as tests read it: its operations, requests made of its own examples, and a check of answers
 * against its own schemas.
 */
import { assert } from "@std/assert";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

/** A JSON Schema, as far as requests are made of it. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | string[];
  readonly example?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

/** What a path, a query or a header carries. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Schema;
  readonly example?: unknown;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** What can be asked, and how it can be answered. */
export interface Operation {
  readonly path: string;
  readonly method: string;
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
  readonly security: readonly { readonly bearer: readonly string[] }[];
}

/** The document. */
export interface OpenApiDocument {
  readonly operations: readonly Operation[];
  readonly components: Readonly<Record<string, unknown>>;
}

/** Asks the app for its document. */
export async function documentOf(
  app: OpenAPIHono,
  headers?: HeadersInit,
): Promise<OpenApiDocument> {
  const response = await app.request("/openapi.json", { headers });
  assert(response.status === 200, `the document is answered ${response.status}`);
  const { paths, components } = await response.json() as {
    paths: Record<string, Record<string, Omit<Operation, "path" | "method">>>;
    components: Record<string, unknown>;
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      path,
      method: method.toUpperCase(),
      parameters: operation.parameters ?? [],
    }))
  );
  return { operations, components };
}

/** How a request departs from the examples. */
export interface RequestChanges {
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the example's parameters. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Fields of the body instead of the example's. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** The whole body. */
  readonly body?: BodyInit;
}

/** The request that an operation's own examples make. Every parameter with an example is sent. */
export function exampleRequest(
  operation: Operation,
  document: OpenApiDocument,
  changes: RequestChanges = {},
): Request {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const parameter of operation.parameters) {
    const value = changes.parameters?.[parameter.name] ?? exampleOf(parameter);
    if (value === undefined) continue;
    if (parameter.in === "path") {
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    }
    if (parameter.in === "query") query.set(parameter.name, value);
    if (parameter.in === "header") headers.set(parameter.name, value);
  }
  assert(!path.includes("{"), `${operation.operationId}: a path parameter has no example`);
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  if (schema !== undefined) headers.set("Content-Type", "application/json");
  for (const [name, value] of Object.entries(changes.headers ?? {})) headers.set(name, value);
  const example = schema && { ...exampleOfSchema(schema, document) as object, ...changes.fields };
  const body = changes.body ?? (example && JSON.stringify(example));
  const search = query.size === 0 ? "" : `?${query}`;
  return new Request(`http://localhost${path}${search}`, {
    method: operation.method,
    headers,
    body,
  });
}

/** Fails unless a body is what the document says of this status. */
export function checkBody(
  operation: Operation,
  document: OpenApiDocument,
  answer: { readonly status: number; readonly type: string; readonly text: string },
): void {
  const { status, type, text } = answer;
  const what = `${operation.operationId} ${status}`;
  const documented = operation.responses[status];
  assert(documented !== undefined, `${what} is not documented: ${text}`);
  if (documented.content === undefined) return assert(text === "", `${what} has a body: ${text}`);
  const media = documented.content[type.split(";")[0]!];
  assert(media !== undefined, `${what} is ${type}, which is not documented`);
  if (!type.startsWith("application/json")) return;
  const validate = validatorOf(media.schema, document);
  const problems = (): string => JSON.stringify(validate.errors);
  assert(validate(JSON.parse(text)), `${what} is not as documented: ${problems()}\n${text}`);
}

/** The text of an answer; of an endless one its beginning. */
export async function textOf(response: Response): Promise<string> {
  const isEndless = response.headers.get("Content-Type")?.startsWith("text/event-stream");
  if (!isEndless || response.body === null) return await response.text();
  const reader = response.body.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}

/** The schema that a `$ref` names, or the schema itself. */
export function resolved(schema: Schema, { components }: OpenApiDocument): Schema {
  if (schema.$ref === undefined) return schema;
  const [kind, name] = schema.$ref.replace("#/components/", "").split("/");
  return (components[kind!] as Record<string, Schema>)[name!]!;
}

/** Compiles the schemas of a document, each text once. */
class Compiler {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #validators = new Map<string, ValidateFunction>();

  constructor({ components }: OpenApiDocument) {
    this.#ajv.addSchema({ $id: "http://document.test/", components });
  }

  validatorOf(schema: Schema): ValidateFunction {
    const absolute = JSON.stringify(schema).replaceAll('"#/', '"http://document.test/#/');
    const validator = this.#validators.get(absolute) ?? this.#ajv.compile(JSON.parse(absolute));
    this.#validators.set(absolute, validator);
    return validator;
  }
}

const compilers = new WeakMap<OpenApiDocument, Compiler>();

function validatorOf(schema: Schema, document: OpenApiDocument): ValidateFunction {
  const compiler = compilers.get(document) ?? new Compiler(document);
  compilers.set(document, compiler);
  return compiler.validatorOf(schema);
}

function exampleOf({ example, schema }: Parameter): string | undefined {
  const value = example ?? schema.example;
  return value === undefined ? undefined : String(value);
}

function exampleOfSchema(schema: Schema, document: OpenApiDocument): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.$ref !== undefined) return exampleOfSchema(resolved(schema, document), document);
  if (schema.items !== undefined) return [exampleOfSchema(schema.items, document)];
  assert(schema.properties !== undefined, `no example: ${JSON.stringify(schema)}`);
  const isGiven = ([name, property]: [string, Schema]): boolean =>
    schema.required?.includes(name) === true || property.example !== undefined;
  return Object.fromEntries(
    Object.entries(schema.properties).filter(isGiven).map(([name, property]) => [
      name,
      exampleOfSchema(property, document),
    ]),
  );
}
