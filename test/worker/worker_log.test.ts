/**
 * The worker's structured log, as an application that configures LogTape sees it.
 */
import { configure, type LogRecord, reset } from "@logtape/logtape";
import { assertEquals } from "@std/assert";
import { HandlerRegistry, openQueue, PermanentError, Worker } from "../../src/mod.ts";
import { until } from "../support/until.ts";

Deno.test("a worker's log names worker, task, run and attempt", async () => {
  const records: LogRecord[] = [];
  await configure({
    reset: true,
    sinks: { records: (record) => void records.push(record) },
    loggers: [
      { category: ["holdfast", "worker"], lowestLevel: "debug", sinks: ["records"] },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  try {
    await runTwoTasks();
  } finally {
    await reset();
  }
  const lines = records.map(({ level, message, properties: { run, attempt } }) =>
    [level, message.join(""), run, attempt].filter((part) => part !== undefined).join(" | ")
  );
  assertEquals(lines, [
    "info | Worker w started",
    "debug | Worker w claimed 1 tasks",
    "debug | Task 1 started | good | 1",
    "info | Task 1 completed | good | 1",
    "debug | Worker w claimed 1 tasks",
    "debug | Task 2 started | bad | 1",
    "error | Task 2 failed: no use | bad | 1",
    "info | Worker w stopped",
  ]);
  assertEquals(
    new Set(records.map(({ category }) => category.join("."))),
    new Set(["holdfast.worker"]),
  );
});

Deno.test("a quiet worker says nothing when LogTape is not configured", async () => {
  const written: unknown[] = [];
  const names = ["log", "debug", "info", "warn", "error"] as const;
  const original = { ...console };
  for (const name of names) console[name] = (...args: unknown[]) => void written.push(args);
  try {
    await runTwoTasks();
  } finally {
    Object.assign(console, original);
  }
  assertEquals(written, []);
});

async function runTwoTasks(): Promise<void> {
  const queue = await openQueue({ memory: true });
  const handlers = new HandlerRegistry()
    .register("good", () => 1)
    .register("bad", () => Promise.reject(new PermanentError("no use")));
  const worker = new Worker({ queue, handlers, workerId: "w", quiet: true });
  worker.start();
  for (const type of ["good", "bad"]) {
    const { task } = await queue.enqueue({ type, runId: type });
    await until(async () => !["queued", "leased"].includes((await queue.get(task.id))!.status));
  }
  await worker.stop();
  await queue.close();
}
