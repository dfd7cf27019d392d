/**
 * A worker process: PATH DURABILITY CONCURRENCY WORK_MS. Says `ready` when it is
 * warm and the queue is open, begins when told `go`, says when a
 * `probe` starts, when asked for `cpu` the time that it has used, and when told `drain`, once nothing is left, how many
 * tasks it did and when the last one ended.
 */
import { cpuUsage } from "node:process";
import {
  type Durability,
  HandlerRegistry,
  openQueue,
  type TaskQueue,
  type TaskStatus,
  Worker,
} from "../../src/mod.ts";
import { RESULT, TYPE } from "../contenders/contender.ts";
import { warmUp } from "./warm_up.ts";
import { heard, say, wallMs } from "./talk.ts";

/** What a worker says when nothing is left. */
export interface Drained {
  readonly completed: number;
  /** When the last one ended. */
  readonly lastAtMs: number;
}

const LOOK_EVERY_MS = 20;

async function main(): Promise<void> {
  const [path, durability, concurrency, workMs] = Deno.args;
  await warmUp();
  const queue = await openQueue({ path, durability: durability as Durability });
  let completed = 0;
  let lastAtMs = 0;
  const worker = new Worker({
    queue,
    handlers: handlersOf(Number(workMs)),
    concurrency: Number(concurrency),
    onEvent: ({ kind, message }) => {
      if (kind === "error") throw new Error(message);
      if (kind !== "completed") return;
      completed++;
      lastAtMs = wallMs();
    },
  });
  say("ready");
  for await (const line of heard()) {
    if (line === "go") worker.start();
    else if (line === "cpu") say(cpuMs());
    else if (line === "drain") {
      await drained(queue);
      await worker.stop();
      say({ completed, lastAtMs } satisfies Drained);
    }
  }
  await worker.stop();
  await queue.close();
}

function handlersOf(workMs: number): HandlerRegistry {
  const handlers = new HandlerRegistry();
  handlers.register(TYPE, () => {
    const untilMs = performance.now() + workMs;
    while (performance.now() < untilMs);
    return Promise.resolve(RESULT);
  });
  handlers.register("probe", () => {
    say(wallMs());
    return Promise.resolve(RESULT);
  });
  return handlers;
}

/** CPU time of this process so far, in milliseconds. */
function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

async function drained(queue: TaskQueue): Promise<void> {
  while (await hasAny(queue, "queued") || await hasAny(queue, "leased")) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Counting them would cost more than the work that is measured. */
async function hasAny(queue: TaskQueue, status: TaskStatus): Promise<boolean> {
  return (await queue.list({ status, limit: 1 })).length > 0;
}

if (import.meta.main) await main();
