/**
 * The client: against a server that is interrupted, and against answers that are none of Holdfast's.
 */
import type { LimitBody, LimitSchema, PauseBody } from "../../server/limits/schemas.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createApp, createToken, parseTokens, tokenAccess } from "../../server/app.ts";
import { defineTask, HandlerRegistry, MemoryLogStore, openQueue } from "../../src/mod.ts";
import { type as arktype } from "arktype";
import * as v from "valibot";
import type { z } from "zod";
import {
  type BulkRequestBody,
  type ClientBulkReport,
  type ClientErrorBody,
  type ClientExplanation,
  type ClientLimit,
  type ClientLogLine,
  type ClientRun,
  type ClientRunProgress,
  type EnqueuedTask,
  type EnqueueRequest,
  HoldfastClient,
  HoldfastError,
  type LimitRequest,
  type PauseRequest,
  type ReplaceRequest,
  resultOf,
  type RunOptions,
  type UpdateRequest,
} from "../../client/client.ts";
import type { LogLineSchema, StatusEventSchema } from "../../server/logs/schemas.ts";
import type {
  BulkBody,
  BulkSchema,
  ReplaceBody,
  UpdateBody,
} from "../../server/tasks/change_schemas.ts";
import type { EnqueueBody, EnqueuedSchema } from "../../server/tasks/schemas.ts";
import type { ErrorSchema } from "../../server/http/error_schema.ts";
import type { ExplanationSchema, RunSchema } from "../../server/runs/schemas.ts";
import type { RunBody } from "../../server/modules/schemas.ts";
import { readEvents } from "../../client/event_stream.ts";

Deno.test("the client does the whole round over a real connection, with a token", async () => {
  const { token, line } = await createToken("c", ["admin"]);
  const queue = await openQueue({ memory: true });
  const app = createApp({ queue, access: tokenAccess(await parseTokens(line)) });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const client = new HoldfastClient({ url, token });
  const task = await client.enqueue({ type: "t", payload: { n: 1 }, run_id: "a/b ü" });
  assertEquals([task.created, task.payload], [true, { n: 1 }]);
  assertEquals((await client.get("a/b ü")).status, "queued");
  assertEquals((await client.explain("a/b ü")).reason, "no_worker");
  assertEquals((await client.cancel("a/b ü")).status, "cancelled");
  assertEquals((await client.retry("a/b ü")).status, "queued");
  const waiting = client.wait("a/b ü");
  const [claimed] = await queue.claim({ workerId: "w", types: ["t"] });
  await queue.complete(claimed!, 42);
  assertEquals((await waiting).result, 42);
  const { id } = await client.enqueue({ type: "t" });
  assertEquals((await client.updateTask(id, { priority: 7, delay_ms: 60_000 })).priority, 7);
  assertEquals((await queue.transitions(id)).at(-1)!.by, "c");
  const corrected = await client.replaceTask(id, { payload: { n: 2 } });
  assertEquals([corrected.payload, corrected.priority], [{ n: 2 }, 7]);
  const cancel = { action: "cancel", filter: { ids: [corrected.id] } } as const;
  assertEquals((await client.bulk({ ...cancel, dry_run: true })).matched, 1);
  assertEquals((await client.bulk(cancel)).changed, 1);
  const search = { text: '"n":2', status: "cancelled", type: "t", limit: 5 } as const;
  assertEquals((await client.search(search)).tasks.map((task) => task.id), [corrected.id]);
  assertEquals((await client.search({ ...search, type: "other" })).tasks, []);
  await client.removeTask(corrected.id);
  const gone = await assertRejects(() => client.removeTask(corrected.id), HoldfastError);
  assertEquals(gone.code, "TASK_NOT_FOUND");
  const nobody = new HoldfastClient({ url });
  assertEquals((await assertRejects(() => nobody.get("x"), HoldfastError)).code, "UNAUTHORIZED");
  await server.shutdown();
  await queue.close();
});

Deno.test("a definition types and checks what the client sends, what the server takes and what comes back", async () => {
  const resize = defineTask({
    type: "resize",
    payload: arktype({ width: "number.integer" }),
    result: v.object({ path: v.string() }),
  });
  const plain = defineTask({ type: "plain", payload: v.object({ n: v.number() }) });
  const handlers = new HandlerRegistry()
    .register(resize, ({ payload }) => ({ path: `${payload.width}.png` }))
    .register(plain, () => null);
  const queue = await openQueue({ memory: true });
  const app = createApp({ queue, handlers });
  const fetch = async (request: Request): Promise<Response> => await app.fetch(request);
  const client = new HoldfastClient({ url: "http://localhost", fetch });
  const { run_id: runId } = await client.run(resize, { width: 3 });
  // @ts-expect-error a field of another type
  await assertRejects(() => client.run(resize, { width: "3" }), TypeError, "parameters.width: ");
  for (const module of ["resize", "plain"]) {
    const refused = await assertRejects(() => client.run(module, { width: "3" }), HoldfastError);
    const field = module === "resize" ? "parameters.width" : "parameters.n";
    assertEquals(refused.errors?.map((error) => error.field), [field]);
  }
  assertEquals(await queue.count(), 1);
  const [claimed] = await queue.claim({ workerId: "w", types: ["resize"] });
  assertEquals(await resultOf(resize, await client.get(runId)), null);
  await queue.complete(claimed!, { path: "3.png" });
  const run = await client.wait(runId);
  const result = await resultOf(resize, run);
  assertEquals(result?.path, "3.png");
  // @ts-expect-error a result without such a field
  assertEquals(result?.width, undefined);
  await assertRejects(() => resultOf(plain, run), TypeError, 'its module is "resize"');
  const response = await app.request("/api/modules");
  const { modules } = await response.json();
  assertEquals(modules[0].parameters_schema.properties, { width: { type: "integer" } });
  assertEquals(modules[1].parameters_schema, null);
  await queue.close();
});

Deno.test("follow() opens a lost connection again and gives each line once", async () => {
  const queue = await openQueue({ memory: true });
  const logs = new MemoryLogStore();
  const app = createApp({ queue, logs });
  await queue.enqueue({ type: "t", runId: "r1" });
  const [task] = await queue.claim({ workerId: "w", types: ["t"] });
  for (let n = 0; n < 4; n++) {
    logs.append(1, { at: new Date(0).toISOString(), level: "info", message: `${n}`, attempt: 1 });
  }
  await queue.complete(task!);
  let asked = 0;
  const client = new HoldfastClient({
    url: "http://localhost",
    fetch: async (request) => {
      if (asked++ === 1) throw new TypeError("connection refused");
      return cutAfter(await app.fetch(request), asked === 1 ? 400 : asked === 3 ? 250 : Infinity);
    },
  });
  const seen: string[] = [];
  for await (const event of client.follow("r1")) {
    seen.push(event.event === "log" ? event.data.message : event.event);
  }
  assertEquals(seen, ["0", "1", "2", "3", "status", "complete"]);
  assert(asked >= 3, `asked ${asked} times`);
  await queue.close();
});

/** The same answer, broken off after some bytes. */
function cutAfter(response: Response, bytes: number): Response {
  let left = bytes;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller): void {
      if (chunk.length > left) return controller.error(new TypeError("connection reset"));
      left -= chunk.length;
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body!.pipeThrough(cut), response);
}

Deno.test("follow() ends with what the server refuses, and with the reason of its signal", async () => {
  const queue = await openQueue({ memory: true });
  const app = createApp({ queue });
  const fetch = (request: Request): Promise<Response> => Promise.resolve(app.fetch(request));
  const client = new HoldfastClient({ url: "http://localhost", fetch });
  const error = await assertRejects(() => client.follow("nope").next(), HoldfastError);
  assertEquals([error.status, error.code], [404, "RUN_NOT_FOUND"]);
  await queue.enqueue({ type: "t", runId: "r1" });
  const gone = new AbortController();
  const following = client.follow("r1", { signal: gone.signal });
  assertEquals((await following.next()).value!.event, "status");
  await following.return();
  gone.abort(new Error("enough"));
  await assertRejects(() => client.follow("r1", { signal: gone.signal }).next(), Error, "enough");
  await queue.close();
});

Deno.test("an answer that is not Holdfast's is an error too", async () => {
  const answers = [
    new Response("<h1>Bad Gateway</h1>", { status: 502 }),
    new Response("null", { status: 400 }),
  ];
  for (const answer of answers) {
    const client = new HoldfastClient({
      url: "http://localhost",
      fetch: () => Promise.resolve(answer),
    });
    const error = await assertRejects(() => client.get("r1"), HoldfastError);
    assertEquals([error.status, error.code], [answer.status, undefined]);
  }
  assertThrows(() => new HoldfastClient({ url: "nowhere" }), TypeError);
});

Deno.test("readEvents() reads as the standard says, however the bytes are cut", async () => {
  const text =
    ": hello\r\n\r\nevent: a\ndata: 1\ndata:2\nid: x\n\ndata: ü\n\nevent: none\n\nignored\ndata\n\ndata: cut off";
  const expected = [
    { event: "a", id: "x", data: "1\n2" },
    { event: "message", id: "x", data: "ü" },
    { event: "message", id: "x", data: "" },
  ];
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, n) => bytes.slice(n * size, (n + 1) * size),
    );
    const events = await Array.fromAsync(readEvents(ReadableStream.from(chunks)));
    assertEquals(events, expected, `in chunks of ${size}`);
  }
});

Deno.test("the client imports nothing from outside its folder and names no runtime", async () => {
  const folder = fileURLToPath(new URL("../../client", import.meta.url));
  let files = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const code = await Deno.readTextFile(join(folder, name));
    for (const [, target] of code.matchAll(/ from "([^"]+)";$/gm)) {
      assert(target!.startsWith("./"), `${name} imports ${target}`);
    }
    assert(!/\bDeno\b|\bprocess\./.test(code.replaceAll(/\/\*[\s\S]*?\*\//g, "")), name);
    files++;
  }
  assert(files >= 3);
});

/** Compiles only when the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : [A, "differs from", B];

/** The client's types against the server's schemas: what the compiler finds to differ fails the check. */
const SAME_TYPES: readonly true[] = [
  true satisfies Same<Flat<ClientRun>, z.infer<typeof RunSchema>>,
  true satisfies Same<Writable<EnqueuedTask>, Writable<z.infer<typeof EnqueuedSchema>>>,
  true satisfies Same<Writable<EnqueueRequest>, Writable<z.input<typeof EnqueueBody>>>,
  true satisfies Same<Writable<RunOptions>, Writable<Omit<z.input<typeof RunBody>, "parameters">>>,
  true satisfies Same<Flat<ClientLogLine>, z.infer<typeof LogLineSchema>>,
  true satisfies Same<Flat<ClientRunProgress>, z.infer<typeof StatusEventSchema>>,
  true satisfies Same<
    Flat<ClientErrorBody>,
    Flat<Omit<z.infer<typeof ErrorSchema>, "error_code"> & { error_code: string }>
  >,
  true satisfies Same<Flat<ClientLimit>, z.infer<typeof LimitSchema>>,
  true satisfies Same<Writable<UpdateRequest>, Writable<z.input<typeof UpdateBody>>>,
  true satisfies Same<Writable<ReplaceRequest>, Writable<z.input<typeof ReplaceBody>>>,
  true satisfies Same<Writable<BulkRequestBody>, Writable<z.input<typeof BulkBody>>>,
  true satisfies Same<Flat<ClientBulkReport>, z.infer<typeof BulkSchema>>,
  true satisfies Same<Writable<PauseRequest>, Writable<z.input<typeof PauseBody>>>,
  true satisfies Same<
    Writable<Omit<LimitRequest, "type" | "group">>,
    Writable<z.input<typeof LimitBody>>
  >,
  true satisfies Same<
    Flat<ClientExplanation>,
    Flat<Omit<z.infer<typeof ExplanationSchema>, "reason"> & { reason: string }>
  >,
];

/** A type's fields and theirs, which all may be written. */
type Writable<T> = T extends readonly (infer Each)[] ? Writable<Each>[]
  : T extends object ? { -readonly [Name in keyof T]: Writable<T[Name]> }
  : T;

/** A type's fields, whatever it was made of. */
type Flat<T> = { [Name in keyof T]: T[Name] };

Deno.test("the client's types are those of the server's schemas", () => {
  assertEquals(SAME_TYPES.length, 15);
});
