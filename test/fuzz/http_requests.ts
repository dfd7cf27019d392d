/**
 * Requests to fuzz the HTTP application with: each begins valid and is bent in one or several places.
 */
import { Chance } from "./chance.ts";

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

/** Ids that exist where the requests go. */
export interface KnownIds {
  readonly runIds: readonly string[];
  readonly taskIds: readonly number[];
  readonly modules: readonly string[];
}

/** Every route, with a placeholder for its id. */
export const ROUTES = [
  ["GET", "/api/modules"],
  ["GET", "/api/modules/{module}"],
  ["POST", "/api/modules/{module}/run"],
  ["GET", "/api/runs"],
  ["GET", "/api/runs/{run}"],
  ["DELETE", "/api/runs/{run}"],
  ["POST", "/api/runs/{run}/cancel"],
  ["POST", "/api/queue/enqueue"],
  ["GET", "/api/queue/tasks/{task}"],
  ["GET", "/api/queue/stats"],
  ["GET", "/api/health"],
  ["POST", "/api/runs/batch"],
  ["POST", "/api/worker/claim"],
  ["GET", "/api/queue/tasks"],
  ["GET", "/api/queue/tasks/{task}/transitions"],
  ["POST", "/api/queue/tasks/{task}/cancel"],
  ["GET", "/api/queue/workers"],
  ["GET", "/api/runs/{run}/results"],
  ["GET", "/api/runs/{run}/explain"],
  ["POST", "/api/runs/{run}/retry"],
] as const;

/** The ends of the paths that take a body. */
const BODY_PATHS = ["/run", "/enqueue", "/batch", "/claim"];

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
export function requestOf(seed: number, known: KnownIds): FuzzRequest {
  const chance = new Chance(seed);
  const [method, template] = chance.oneIn(3)
    ? chance.pick([ROUTES[2], ROUTES[7], ROUTES[6], ROUTES[3], ROUTES[11]])
    : chance.pick(ROUTES);
  const path = bendPath(chance, fill(chance, template, known));
  const target = path + queryOf(chance, template);
  const bentMethod = chance.oneIn(12) ? chance.pick(METHODS) : method;
  const hasBody = !["GET", "HEAD", "get"].includes(bentMethod) &&
    (BODY_PATHS.some((end) => template.endsWith(end)) || chance.oneIn(5));
  return {
    seed,
    method: bentMethod,
    target,
    isTidied: chance.oneIn(2),
    headers: headersOf(chance, hasBody),
    body: hasBody ? bodyOf(chance, template, known) : null,
  };
}

/** The `Request`, or `undefined` when none like this can be made. */
export function toRequest(wanted: FuzzRequest): Request | undefined {
  const { method, target, isTidied, headers, body } = wanted;
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

function fill(chance: Chance, template: string, known: KnownIds): string {
  const id = (ids: readonly (string | number)[]): string =>
    chance.oneIn(4) ? chance.text() : encodeURIComponent(String(chance.pick(ids)));
  return template
    .replace("{module}", () => id(known.modules))
    .replace("{run}", () => id(known.runIds))
    .replace("{task}", () => id(known.taskIds));
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

function queryOf(chance: Chance, template: string): string {
  const isList = template === "/api/runs" || template === "/api/queue/tasks";
  if (!isList && !chance.oneIn(8)) return "";
  const value = (values: readonly string[]): string =>
    chance.oneIn(3) ? chance.text() : chance.pick(values);
  const pairs = chance.some(4, () =>
    chance.choose(
      () => ["module_id", value(["email", "cleanup", "t", " email "])],
      () => ["status", value(["queued", "running", "completed", "failed", "cancelled", "leased"])],
      () => ["limit", value(["1", "50", "100", "101", "0", "-1", "1.0", " 5", "1e1"])],
      () => ["cursor", value(["1", "5", "1000", "0", "x"])],
      () => ["wait", value(["1ms", "0s", "61s", "1h"])],
      () => ["offset", value(["0", "3", "1000000000", "1000000001", "-1"])],
      () => [chance.text(), chance.text()],
    ));
  const isEncoded = !chance.oneIn(4);
  const write = (text: string): string =>
    isEncoded ? encodeURIComponent(text.toWellFormed()) : text;
  return pairs.length === 0
    ? chance.pick(["", "?", "?&&=", "?=", "?limit"])
    : `?${pairs.map(([name, text]) => `${write(name!)}=${write(text!)}`).join("&")}`;
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

function bodyOf(chance: Chance, template: string, known: KnownIds): Uint8Array<ArrayBuffer> {
  const body = objectOf(chance, template, known);
  const text = chance.choose(
    () => JSON.stringify(body),
    () => JSON.stringify(chance.bendObject(body)),
    () => JSON.stringify(chance.bendObject(chance.bendObject(body))),
    () => nastyText(chance, body),
  );
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(chance.oneIn(4) && bytes.length < 5000 ? chance.bendBytes(bytes) : bytes);
}

function objectOf(chance: Chance, template: string, known: KnownIds): Record<string, unknown> {
  if (template.endsWith("/run")) return runBody(chance);
  if (template.endsWith("/batch")) {
    const run = (): unknown => ({ module_id: chance.pick(known.modules), ...runBody(chance) });
    return { runs: Array.from({ length: chance.pick([0, 1, 1, 1, 3]) }, run) };
  }
  if (template.endsWith("/claim")) {
    const types = [chance.pick(["t", ...known.modules])];
    return { worker_id: "w", types, limit: chance.pick([0, 1, 2]), lease_duration_ms: 60_000 };
  }
  return enqueueBody(chance, known);
}

function runBody(chance: Chance): Record<string, unknown> {
  const parameters = chance.choose<unknown>(
    () => ({ to: "ann@example.com" }),
    () => ({ to: "ann@example.com", copies: 3 }),
    () => chance.json(),
  );
  return { parameters, ...scheduling(chance) };
}

function enqueueBody(chance: Chance, known: KnownIds): Record<string, unknown> {
  return {
    type: chance.pick(["t", ...known.modules]),
    ...(chance.oneIn(2) ? { payload: chance.json() } : {}),
    ...(chance.oneIn(3) ? { compatibility: { region: "eu", gpu: { n: 1 } } } : {}),
    ...(chance.oneIn(5)
      ? { run_id: chance.pick([...known.runIds, "new", `r${chance.below(999)}`]) }
      : {}),
    ...scheduling(chance),
  };
}

function scheduling(chance: Chance): Record<string, unknown> {
  return {
    ...(chance.oneIn(3) ? { priority: 1 + chance.below(1000) } : {}),
    ...(chance.oneIn(4)
      ? { run_after: chance.pick(["2030-01-01T00:00:00Z", "2026-01-31T24:00:00Z"]) }
      : {}),
    ...(chance.oneIn(4) ? { idempotency_key: chance.pick(["", "k1", "k2"]) } : {}),
    ...(chance.oneIn(4) ? { max_attempts: 1 + chance.below(100) } : {}),
  };
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
