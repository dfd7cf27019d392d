/**
 * Isolated handlers in a real worker process, and another process that cancels them.
 */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type LogLine, type LogStore, openLogStore, openQueue } from "../../src/mod.ts";
import { describeTimes } from "../process/support.ts";
import { effort } from "../support/effort.ts";
import { until } from "../support/until.ts";
import { holdfastProcess, Scratch } from "./cli_harness.ts";

const CANCELS = effort("wakeUps");
const PATIENCE_MS = 120_000;

/** Renewing the lease would tell of the cancel too, but too late for this patience. */
const LEASE_MS = "3600000";

const MODULE = fileURLToPath(new URL("./isolated_handlers.js", import.meta.url));

Deno.test("cancel() reaches an isolated handler in another process", async () => {
  await using scratch = new Scratch();
  const handlers = await writeList(scratch);
  const queue = await openQueue(scratch.db);
  const logs = openLogStore(scratch.db);
  const worker = startWorker(scratch, handlers, "--lease-ms", LEASE_MS);
  const timesMs: number[] = [];
  for (let n = 0; n < CANCELS; n++) {
    const { task } = await queue.enqueue({ type: "wait" });
    await line(logs, task.id, "waiting");
    const cancelledAtMs = Date.now();
    assertEquals(await queue.cancel(task.id), true);
    const { details } = await line(logs, task.id, "aborted: Cancelled by user");
    timesMs.push((details as { atMs: number }).atMs - cancelledAtMs);
    assertEquals((await queue.get(task.id))!.status, "cancelled");
  }
  await end(worker);
  await logs.close();
  await queue.close();
  console.log(`cancel of isolated handlers across processes: ${describeTimes(timesMs)}`);
});

Deno.test("a cancelled handler that blocks its thread in another process makes way for the next task", async () => {
  await using scratch = new Scratch();
  const handlers = await writeList(scratch);
  const queue = await openQueue(scratch.db);
  const logs = openLogStore(scratch.db);
  const worker = startWorker(scratch, handlers, "--concurrency", "1");
  const { task: blocked } = await queue.enqueue({ type: "block" });
  const { task: next } = await queue.enqueue({ type: "wait" });
  await line(logs, blocked.id, "waiting");
  assertEquals((await queue.get(next.id))!.status, "queued");
  await queue.cancel(blocked.id);
  await line(logs, next.id, "waiting");
  assertEquals((await queue.get(blocked.id))!.status, "cancelled");
  await queue.cancel(next.id);
  await end(worker);
  await logs.close();
  await queue.close();
});

async function writeList(scratch: Scratch): Promise<string> {
  const entry = { module: MODULE, isolation: "worker", permissions: "none" };
  const list = ["wait", "block"].map((name) => ({ ...entry, task_type: name, function: name }));
  await Deno.writeTextFile(scratch.path("handlers.json"), JSON.stringify(list));
  return scratch.path("handlers.json");
}

function startWorker(scratch: Scratch, handlers: string, ...args: string[]): Deno.ChildProcess {
  const options = ["--db", scratch.db, "--handlers", handlers, ...args];
  return holdfastProcess(["worker", ...options], { stdout: "null", stderr: "null" }).spawn();
}

async function end(worker: Deno.ChildProcess): Promise<void> {
  worker.kill("SIGINT");
  const { code } = await worker.status;
  if (Deno.build.os !== "windows") assertEquals(code, 0);
}

/** The line of a task's log with this message, waited for. */
async function line(logs: LogStore, taskId: number, message: string): Promise<LogLine> {
  const find = async (): Promise<LogLine | undefined> =>
    (await logs.read(taskId, 0)).lines.find((one) => one.message === message);
  await until(find, `${JSON.stringify(message)} in the log of task ${taskId}`, PATIENCE_MS);
  return (await find())!;
}
