/**
 * Requests to fuzz the HTTP application with: each is made of the OpenAPI document, so that every route is among them and
 * valid at first, and is then bent in one or several places.
 */
import type { OpenApiDocument, Operation } from "../server/openapi_document.ts";
import { Chance } from "./chance.ts";
import { type Known, Values } from "./document_values.ts";

/** A request as it will be made, printable. */
export interface FuzzRequest {
  readonly seed: number;
  readonly method: string;
  /** Path and query, not encoded. */
  readonly target: string;
  /** Whether the URL's parser may tidy the target up first, as a browser would; a socket brings it as it is. */
  readonly isTidied: boolean;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array<ArrayBuffer> | null;
}

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "PROPFIND",
  "get",
  "X",
];
const CONTENT_TYPES = [
  ...["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", ""],
  ...[
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "application/xml",
    "*/*",
  ],
  ...[
    "application/x-www-form-urlencoded",
    "application/problem+json",
    "application/jsonx",
    ";",
    "/",
  ],
];
const DEEP_LEVELS = 100_000;

/** The request of a seed. */
export function requestOf(seed: number, document: OpenApiDocument, known: Known): FuzzRequest {
  const chance = new Chance(seed);
  const withBody = document.operations.filter(({ requestBody }) => requestBody !== undefined);
  const isWithBody = chance.oneIn(2) && withBody.length > 0;
  const operation = chance.pick(isWithBody ? withBody : document.operations);
  const values = new Values(chance, document, known);
  const target = bendPath(chance, fill(operation, values)) + queryOf(operation, values);
  const method = chance.oneIn(12) ? chance.pick(METHODS) : operation.method;
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const hasBody = !["GET", "HEAD", "get"].includes(method) &&
    (schema !== undefined || chance.oneIn(5));
  return {
    seed,
    method,
    target,
    isTidied: chance.oneIn(2),
    headers: [...parameterHeaders(operation, values), ...headersOf(chance, hasBody)],
    body: hasBody ? bodyOf(chance, schema === undefined ? {} : values.of(schema, "")) : null,
  };
}

/** The `Request`, or `undefined` when none like this can be made. */
export function toRequest(wanted: FuzzRequest): Request | undefined {
  const { method, target, isTidied, headers, body } = wanted;
  if (!target.startsWith("/")) return undefined;
  try {
    const url = isTidied ? `http://localhost${target}` : "http://localhost/";
    const request = new Request(url, { method, headers: headers.map(([...pair]) => pair), body });
    if (!isTidied) Object.defineProperty(request, "url", { value: `http://localhost${target}` });
    return request;
  } catch {
    return undefined;
  }
}

/** A request in one line. */
export function describe({ seed, method, target, isTidied, headers, body }: FuzzRequest): string {
  const shown = {
    seed,
    method,
    target: clip(target),
    isTidied,
    headers,
    body: body === null ? null : clip(new TextDecoder().decode(body)),
  };
  return JSON.stringify(shown);
}

function clip(text: string): string {
  return text.length <= 600 ? text : `${text.slice(0, 600)}… (${text.length} characters)`;
}

/** The path with an id in it, mostly one that exists. */
function fill(operation: Operation, values: Values): string {
  return operation.path.replace("{id}", () => {
    const id = String(values.pathId(operation));
    return values.chance.oneIn(4) ? values.chance.text() : encodeURIComponent(id);
  });
}

function bendPath(chance: Chance, path: string): string {
  if (!chance.oneIn(5)) return path;
  const at = chance.below(path.length + 1);
  return chance.choose(
    () => `${path}/`,
    () => path.replace("/api", "/api/"),
    () => path.replace("/api/", "/api/../api/./"),
    () => path.toUpperCase(),
    () => `${path.slice(0, at)}${chance.text()}${path.slice(at)}`,
    () => `${path.slice(0, at)}%${chance.text()}${path.slice(at + 1)}`,
    () => `${path}/${chance.text()}`,
    () => `${path}/${"a/".repeat(chance.pick([10, 1000, 20_000]))}`,
    () => `${path}${"%41".repeat(chance.pick([10, 3000]))}`,
    () => path.slice(0, Math.max(1, at)),
    () => `${path}#${chance.text()}`,
    () => `/${chance.text()}`,
  );
}

function queryOf({ parameters }: Operation, values: Values): string {
  const { chance } = values;
  const own = parameters.filter((parameter) => parameter.in === "query");
  if (own.length === 0 && !chance.oneIn(8)) return "";
  const pairs = chance.some(3, (): [string, string] => {
    if (own.length === 0 || chance.oneIn(6)) return [chance.text(), chance.text()];
    const parameter = chance.pick(own);
    return [parameter.name, values.text(parameter)];
  });
  const isEncoded = !chance.oneIn(4);
  const write = (text: string): string =>
    isEncoded ? encodeURIComponent(text.toWellFormed()) : text;
  return pairs.length === 0
    ? chance.pick(["", "?", "?&&=", "?=", "?limit"])
    : `?${pairs.map(([name, text]) => `${write(name)}=${write(text)}`).join("&")}`;
}

/** Some of the headers that the operation reads. */
function parameterHeaders({ parameters }: Operation, values: Values): [string, string][] {
  const own = parameters.filter((parameter) => parameter.in === "header");
  return own.filter(() => values.chance.oneIn(2))
    .map((parameter) => [parameter.name, values.text(parameter)]);
}

function headersOf(chance: Chance, hasBody: boolean): (readonly [string, string])[] {
  const type = chance.oneIn(6) ? chance.pick(CONTENT_TYPES) : "application/json";
  const headers: (readonly [string, string])[] = hasBody ? [["Content-Type", type]] : [];
  if (!chance.oneIn(4)) return headers;
  return [
    ...headers,
    ...chance.some(3, () =>
      chance.choose<readonly [string, string]>(
        () => ["Accept", chance.pick(["text/html", "*/*", "application/xml;q=2", ""])],
        () => ["Content-Length", chance.pick(["0", "1", "-1", "abc", "1e9", "99999999999"])],
        () => ["Content-Encoding", chance.pick(["gzip", "identity", "x"])],
        () => ["Transfer-Encoding", chance.pick(["chunked", "x"])],
        () => ["Range", "bytes=0-1"],
        () => ["If-None-Match", "*"],
        () => ["X-HTTP-Method-Override", "DELETE"],
        () => ["X-Forwarded-Prefix", "/../.."],
        () => ["Cookie", "a=b; __proto__=1"],
        () => [`X-${chance.below(99)}`, "y".repeat(chance.pick([1, 100, 20_000]))],
      )),
  ];
}

function bodyOf(chance: Chance, valid: unknown): Uint8Array<ArrayBuffer> {
  const body = valid as Record<string, unknown>;
  const text = chance.choose(
    () => JSON.stringify(body),
    () => JSON.stringify(chance.bendObject(body)),
    () => JSON.stringify(chance.bendObject(chance.bendObject(body))),
    () => nastyText(chance, body),
  );
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(chance.oneIn(4) && bytes.length < 5000 ? chance.bendBytes(bytes) : bytes);
}

/** What no `JSON.stringify` writes. */
function nastyText(chance: Chance, body: Readonly<Record<string, unknown>>): string {
  const whole = JSON.stringify(body);
  const field = chance.pick(["payload", "parameters", "compatibility", "type", "priority", "x"]);
  const withMember = (name: string, json: string): string =>
    `${whole.slice(0, -1)}${whole === "{}" ? "" : ","}"${name}":${json}}`;
  return chance.choose(
    () => withMember(field, `${"[".repeat(DEEP_LEVELS)}${"]".repeat(DEEP_LEVELS)}`),
    () => withMember(field, `${'{"a":'.repeat(DEEP_LEVELS)}1${"}".repeat(DEEP_LEVELS)}`),
    () => withMember(field, "[".repeat(DEEP_LEVELS)),
    () =>
      withMember(field, chance.pick(["1e400", "-1e400", "1".repeat(5000), "-0", "1E-999", "01"])),
    () => withMember(field, chance.pick(['"\\ud800"', '"\\u0000"', '"\\udc00\\ud800"', '"\\x"'])),
    () => withMember(field, '{"__proto__":{"polluted":true},"constructor":{"prototype":{}}}'),
    () => withMember("__proto__", chance.pick(['{"type":"t"}', "null", "[]", "1"])),
    () => withMember("constructor", '{"prototype":{"polluted":true}}'),
    () => withMember("type", '"twice"'),
    () =>
      withMember(
        field,
        `"${"x".repeat(chance.pick([4096, 260_000, 270_000, 1_200_000, 1_200_000]))}"`,
      ),
    () => withMember(field, `[${"0,".repeat(100_000)}0]`),
    () => `{${Array.from({ length: 2000 }, (_, i) => `"k${i}":${i}`).join(",")}}`,
    () => `\ufeff${whole}`,
    () => `${whole}\u0000`,
    () =>
      chance.pick([
        "",
        "null",
        "[]",
        "[1]",
        '"t"',
        "0",
        "true",
        "{}",
        "NaN",
        "{",
        "'",
        whole + whole,
      ]),
    () => chance.text(),
  );
}
