/**
 * Every field of a new task through every door and back: what the table of the fields says goes in by the library, HTTP, the
 * command line, a batch file, a schedule and a file of another queue, and comes out as it was given.
 */
import { assert, assertEquals } from "@std/assert";
import { createApp } from "../../server/app.ts";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { importTasks } from "../../src/compose/import_tasks.ts";
import {
  HandlerRegistry,
  type NewTask,
  openQueue,
  SCHEDULED_FIELD_NAMES,
  snakeName,
  TASK_FIELD_NAMES,
  TASK_FIELDS,
  type TaskField,
  type TaskQueue,
  toNewTask,
  toTaskBody,
} from "../../src/mod.ts";
import { holdfast, Scratch } from "../cli/cli_harness.ts";
import { IN_MEMORY, withQueue } from "../support/queues.ts";

type Name = keyof NewTask;

/** The run that all tasks here wait for. */
const MOTHER = "mother";

/** All but one: a task has either a unique key or an idempotency key. */
const NAMES = TASK_FIELD_NAMES.filter((name) => name !== "idempotencyKey");

const UNIQUE = { key: "unique ü", mode: "incomplete" } as const;

/** A value that no default has. */
function valueOf(name: string, field: TaskField): unknown {
  if (name === "unique") return UNIQUE;
  switch (field.kind) {
    case "name":
    case "key":
      return `${snakeName(name)} ü`;
    case "json":
      return { list: [1, null, "ü"] };
    case "pairs":
      return { gpu: true, region: "eu" };
    case "integer":
    case "number":
      return field.max - 1;
    case "instant":
      return new Date(`2999-0${name === "expiresAt" ? 2 : 1}-01T00:00:00.500Z`);
    case "choice":
      return field.choices.at(-1);
    case "choices":
      return [field.choices[0]];
    case "names":
      return ["a, b", "ü"];
    case "references":
      return [MOTHER];
    case "url":
      return "https://hooks.example.com/done?x=1";
    case "object":
      return Object.fromEntries(
        Object.entries(field.fields).map(([part, kind]) => [part, valueOf(part, kind)]),
      );
  }
}

/** A task that has these fields. */
function given<N extends Name>(names: readonly N[]): Pick<Required<NewTask>, N> {
  const fields = names.map((name) => [name, valueOf(name, TASK_FIELDS[name])]);
  return Object.fromEntries(fields) as Pick<Required<NewTask>, N>;
}

const WHOLE = given(NAMES);

/** The fields of the only task beside its parent. */
async function stored(
  queue: TaskQueue,
  names: readonly Name[] = NAMES,
): Promise<unknown> {
  const others = (await queue.exportAll()).tasks.filter(({ runId }) => runId !== MOTHER);
  assertEquals(others.length, 1);
  const { payloadText, parents, uniqueKey, ...record } = others[0]!;
  const fields: Record<Name, unknown> = {
    ...record,
    payload: JSON.parse(payloadText),
    unique: uniqueKey === null ? null : { ...UNIQUE, key: uniqueKey },
    dependsOn: parents.map(({ runId }) => runId),
    onParentFailure: parents[0]?.onFailure,
  };
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

/** Runs `enter` on a queue with the parent, and compares what came in. */
async function through(
  enter: (queue: TaskQueue) => Promise<unknown>,
  names: readonly Name[] = NAMES,
): Promise<void> {
  await withQueue(IN_MEMORY, async (queue) => {
    await queue.enqueue({ type: "other", runId: MOTHER });
    await enter(queue);
    assertEquals(await stored(queue, names), given(names));
  });
}

Deno.test("every field goes through enqueue() and enqueueBatch()", async () => {
  assertEquals(NAMES.length, Object.keys(WHOLE).length);
  await through((queue) => queue.enqueue(WHOLE));
  await through((queue) => queue.enqueueBatch([WHOLE]));
});

Deno.test("a task comes back from the form in which it is written", () => {
  const body = toTaskBody(WHOLE);
  assertEquals(Object.keys(body), NAMES.map(snakeName));
  const { runAfter, expiresAt, ...rest } = WHOLE;
  const [from, until] = [runAfter, expiresAt].map((at) => (at as Date).toISOString());
  assertEquals(toNewTask(body), { ...rest, runAfter: from, expiresAt: until });
});

// --- HTTP

async function post(queue: TaskQueue, path: string, body: unknown): Promise<void> {
  const handlers = new HandlerRegistry().register(WHOLE.type, () => null);
  const answer = await createApp({ queue, handlers }).request(`/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert(answer.ok, `${path} answers ${answer.status}: ${await answer.text()}`);
}

Deno.test("every field goes through HTTP, alone and in a batch", async () => {
  const body = toTaskBody(WHOLE);
  await through((queue) => post(queue, "queue/enqueue", body));
  await through((queue) => post(queue, "queue/enqueue/batch", { tasks: [body] }));
});

Deno.test("every field but compatibility and run id goes through a run over HTTP", async () => {
  const { type, payload, compatibility: _, run_id: _id, ...scheduling } = toTaskBody(WHOLE);
  const names = NAMES.filter((name) => name !== "compatibility" && name !== "runId");
  const run = { parameters: payload, ...scheduling };
  await through((queue) => post(queue, `modules/${encodeURIComponent(type)}/run`, run), names);
  const runs = [{ module_id: type, ...run }];
  await through((queue) => post(queue, "runs/batch", { runs }), names);
});

// --- the command line

/** The options that give these fields. */
function optionsOf(names: readonly Name[]): string[] {
  const { retryPolicy, webhook, payload } = WHOLE;
  return names.filter((name) => name !== "type").flatMap((name) => {
    if (name === "payload") return ["--payload", JSON.stringify(payload)];
    if (name === "unique") return ["--unique-key", UNIQUE.key, "--unique-mode", UNIQUE.mode];
    if (name === "webhook") {
      return ["--webhook", webhook!.url, "--webhook-events", webhook!.events!.join()];
    }
    if (name === "retryPolicy") {
      const { initialDelayMs, multiplier, maxDelayMs } = retryPolicy!;
      const pauses = [
        "--retry-delay",
        `${initialDelayMs}ms`,
        "--retry-max-delay",
        `${maxDelayMs}ms`,
      ];
      return [...pauses, "--retry-multiplier", String(multiplier)];
    }
    if (name === "tags") return WHOLE.tags.flatMap((tag) => ["--tag", tag]);
    const flag = `--${snakeName(name).replace(/_ms$/, "").replaceAll("_", "-")}`;
    return [flag, textOf(name, WHOLE[name as keyof typeof WHOLE])];
  });
}

function textOf(name: Name, value: unknown): string {
  if (name.endsWith("Ms")) return `${value}ms`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.join();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Runs a command on files with the parent, and compares what came in. */
async function throughCommand(args: readonly string[], input = ""): Promise<void> {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "other", "--run-id", MOTHER]);
  const { code, err } = await scratch.run(args, { files: { "-": input } });
  assertEquals([code, err], [0, ""]);
  const queue = await openQueue(scratch.db);
  try {
    assertEquals(await stored(queue), WHOLE);
  } finally {
    await queue.close();
  }
}

Deno.test("every field goes through the options of enqueue", () =>
  throughCommand(["enqueue", WHOLE.type, ...optionsOf(NAMES)]));

Deno.test("every field goes through a batch file", () =>
  throughCommand(["enqueue", "--batch", "-"], JSON.stringify(toTaskBody(WHOLE))));

Deno.test("an idempotency key goes through HTTP, the options of enqueue and a batch file", async () => {
  const task = { type: "email", idempotencyKey: "key ü" };
  const line = JSON.stringify(toTaskBody(task));
  await withQueue(IN_MEMORY, async (queue) => {
    await post(queue, "queue/enqueue", toTaskBody(task));
    await remotely(queue, ["enqueue", "email", "--key", task.idempotencyKey]);
    assertEquals((await queue.list()).map((each) => each.idempotencyKey), [task.idempotencyKey]);
  });
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "--batch", "-"], { files: { "-": line } });
  const { doc } = await scratch.json(["list"]);
  assertEquals(doc.tasks[0].idempotency_key, task.idempotencyKey);
});

/** Runs a command against a server of this queue. */
async function remotely(queue: TaskQueue, args: readonly string[]): Promise<void> {
  const app = createApp({ queue });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    const { code, err } = await holdfast(["--url", url, ...args]);
    assertEquals([code, err], [0, ""]);
  } finally {
    await server.shutdown();
  }
}

Deno.test("every field goes from the command line to a server", () =>
  through((queue) => remotely(queue, ["enqueue", WHOLE.type, ...optionsOf(NAMES)])));

// --- schedules

const TIME = { id: "s", everyMs: 60_000 };

/** Runs `enter` on a queue, lets the schedule fire, and compares the schedule and its task. */
async function scheduled(enter: (queue: TaskQueue) => Promise<unknown>): Promise<void> {
  await withQueue(IN_MEMORY, async (queue) => {
    await enter(queue);
    const schedule = await queue.getSchedule("s") as unknown as Record<Name, unknown>;
    const shown = SCHEDULED_FIELD_NAMES.map((name) => [name, schedule[name]]);
    assertEquals(Object.fromEntries(shown), given(SCHEDULED_FIELD_NAMES));
    await queue.fireSchedules();
    assertEquals(await stored(queue, SCHEDULED_FIELD_NAMES), given(SCHEDULED_FIELD_NAMES));
  });
}

Deno.test("every field of a schedule's tasks goes through addSchedule()", () =>
  scheduled((queue) => queue.addSchedule({ ...given(SCHEDULED_FIELD_NAMES), ...TIME })));

Deno.test("every field of a schedule's tasks goes through HTTP", () => {
  const { type, ...fields } = toTaskBody(given(SCHEDULED_FIELD_NAMES));
  const body = { type, ...fields, id: "s", every_ms: 60_000 };
  return scheduled((queue) => post(queue, "schedules", body));
});

Deno.test("every field of a schedule's tasks goes through the command line to a server", () => {
  const args = ["schedule", "add", "s", WHOLE.type, "--every", "1m"];
  return scheduled((queue) => remotely(queue, [...args, ...optionsOf(SCHEDULED_FIELD_NAMES)]));
});

// --- files of other queues

Deno.test("every field goes into a file and comes out in another queue", async () => {
  await using scratch = new Scratch();
  const path = scratch.path("tasks.ndjson");
  await withQueue(IN_MEMORY, async (queue) => {
    await queue.enqueue({ type: "other", runId: MOTHER });
    await queue.enqueue(WHOLE);
    await queue.addSchedule({ ...given(SCHEDULED_FIELD_NAMES), ...TIME });
    await exportTasks(queue, { format: "ndjson", output: path });
  });
  await withQueue(IN_MEMORY, async (queue) => {
    await importTasks(queue, path);
    assertEquals(await stored(queue), WHOLE);
    const schedule = await queue.getSchedule("s") as unknown as Record<Name, unknown>;
    const shown = SCHEDULED_FIELD_NAMES.map((name) => [name, schedule[name]]);
    assertEquals(Object.fromEntries(shown), given(SCHEDULED_FIELD_NAMES));
  });
});
