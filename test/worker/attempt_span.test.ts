/**
 * A span per attempt, and what is measured, as an application that sets up OpenTelemetry sees it.
 */
import {
  type Attributes,
  type Link,
  type MeterProvider,
  metrics,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HandlerRegistry, openQueue, PermanentError, StorageError, Worker } from "../../src/mod.ts";
import { TestStorage } from "../../testing/test_storage.ts";
import { until } from "../support/until.ts";

interface Recorded {
  readonly name: string;
  readonly attributes: Record<string, unknown>;
  readonly links: readonly Link[];
  status: number;
  isEnded: boolean;
}

Deno.test("each attempt is a span with its task, run, worker and outcome, linked to that of the enqueueing", async () => {
  const all: Recorded[] = [];
  trace.setGlobalTracerProvider({ getTracer: () => recorder(all) });
  try {
    await runTwoTasks();
  } finally {
    trace.disable();
  }
  assertEquals(all.map(({ name, isEnded }) => [name, isEnded]), [
    ["send good", true],
    ["process good", true],
    ["send bad", true],
    ["process bad", true],
  ]);
  assertEquals(all[0]!.attributes["messaging.batch.message_count"], 1);
  const context = { traceId: "0".repeat(31) + "3", spanId: "0".repeat(15) + "3", traceFlags: 1 };
  assertEquals(all[3]!.links, [{ context: { ...context, isRemote: true } }]);
  const spans = all.filter(({ name }) => name.startsWith("process"));
  assertEquals(spans.map(({ name, status, isEnded }) => [name, status, isEnded]), [
    ["process good", SpanStatusCode.UNSET, true],
    ["process bad", SpanStatusCode.ERROR, true],
  ]);
  assertEquals(spans[0]!.attributes, {
    "messaging.system": "holdfast",
    "messaging.operation.type": "process",
    "messaging.destination.name": "good",
    "messaging.message.id": "run-good",
    "messaging.client.id": "w",
    "holdfast.task.id": 1,
    "holdfast.task.attempt": 1,
    "holdfast.task.outcome": "completed",
  });
  assertEquals(spans[1]!.attributes["holdfast.task.outcome"], "failed");
});

interface Measured {
  readonly name: string;
  readonly value: number;
  readonly attributes: Attributes;
}

Deno.test("enqueueings are counted and attempts measured, for a provider that is set up at any time", async () => {
  await runTwoTasks(); // nothing is set up yet
  const all: Measured[] = [];
  metrics.setGlobalMeterProvider(measuring(all));
  try {
    await runTwoTasks();
    await refuse();
  } finally {
    metrics.disable();
  }
  const common = (type: string, operation: string): Attributes => ({
    "messaging.system": "holdfast",
    "messaging.operation.name": operation,
    "messaging.destination.name": type,
  });
  const sent = all.filter(({ name }) => name === "messaging.client.sent.messages");
  assertEquals(sent.map(({ value, attributes }) => [value, attributes]), [
    [1, common("good", "send")],
    [1, common("bad", "send")],
    [2, { ...common("a", "send"), "error.type": "StorageError" }],
    [1, { ...common("b", "send"), "error.type": "StorageError" }],
  ]);
  const processed = all.filter(({ name }) => name === "messaging.process.duration");
  assertEquals(processed.map(({ attributes }) => attributes), [
    { ...common("good", "process"), "holdfast.task.outcome": "completed" },
    {
      ...common("bad", "process"),
      "holdfast.task.outcome": "failed",
      "error.type": "failed",
    },
  ]);
  assertEquals(all.length, sent.length + processed.length);
  assert(processed.every(({ value }) => value >= 0 && value < 60), "seconds");
});

/** Enqueues a batch that the disk refuses. */
async function refuse(): Promise<void> {
  const storage = new TestStorage();
  const queue = await openQueue({ storage });
  const mend = storage.fail("no room");
  const batch = ["a", "b", "a"].map((type) => ({ type }));
  await assertRejects(() => queue.enqueueBatch(batch), StorageError, "no room");
  mend();
  await queue.close();
}

/** A provider whose instruments keep what they are told. */
function measuring(all: Measured[]): MeterProvider {
  const make = (name: string): unknown => {
    const keep = (value: number, attributes: Attributes): void =>
      void all.push({ name, value, attributes });
    return { add: keep, record: keep };
  };
  const meter = { createCounter: make, createHistogram: make };
  return { getMeter: () => meter } as unknown as MeterProvider;
}

/** A tracer that keeps what is said of its spans. */
function recorder(spans: Recorded[]): Tracer {
  const begin = (name: string, { attributes, links = [] }: SpanOptions): Span => {
    const recorded: Recorded = {
      name,
      attributes: { ...attributes },
      links,
      status: 0,
      isEnded: false,
    };
    spans.push(recorded);
    const id = spans.length.toString(16);
    const span = {
      spanContext: () => ({
        traceId: id.padStart(32, "0"),
        spanId: id.padStart(16, "0"),
        traceFlags: 1,
      }),
      setAttribute: (key: string, value: unknown) => void (recorded.attributes[key] = value),
      setStatus: ({ code }: { code: number }) => void (recorded.status = code),
      end: () => void (recorded.isEnded = true),
    };
    return span as unknown as Span;
  };
  const startActiveSpan = (
    name: string,
    options: SpanOptions,
    work: (span: Span) => unknown,
  ): unknown => work(begin(name, options));
  return { startActiveSpan } as unknown as Tracer;
}

async function runTwoTasks(): Promise<void> {
  const queue = await openQueue({ memory: true });
  const handlers = new HandlerRegistry()
    .register("good", () => 1)
    .register("bad", () => Promise.reject(new PermanentError("no use")));
  const worker = new Worker({ queue, handlers, workerId: "w" });
  worker.start();
  for (const type of ["good", "bad"]) {
    const { task } = await queue.enqueue({ type, runId: `run-${type}` });
    await until(async () => !["queued", "leased"].includes((await queue.get(task.id))!.status));
  }
  await worker.stop();
  await queue.close();
}
