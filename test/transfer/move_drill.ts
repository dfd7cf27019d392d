/**
 * A drill: a queue goes from files to another place and back to new files by `holdfast move`, whose process is killed again and
 * again, at any moment. At the end everything is there once, and one queue is open.
 *
 *     deno run -A test/transfer/move_drill.ts --to=postgres://…?schema=drill --tasks=20000 --kills=20
 */
import { assert, assertEquals } from "@std/assert";
import { parseArgs } from "node:util";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openQueue, QueueError, type TaskQueue } from "../../src/mod.ts";
import { moveEndOf } from "../../src/queue/move_end.ts";
import { type Contents, contentsOf } from "./move_world.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** What a drill is to do. */
export interface DrillOptions {
  /** Where the queue goes first. */
  readonly to: string;
  /** A folder for its files. */
  readonly folder: string;
  readonly tasks: number;
  /** Kills in all, there and back. */
  readonly kills: number;
  readonly tell?: (text: string) => void;
}

/** Moves there and back; how many kills met a move that was under way. */
export async function drill(
  { to, folder, tasks, kills, tell = () => {} }: DrillOptions,
): Promise<number> {
  const [first, last] = [join(folder, "first.db"), join(folder, "last.db")];
  const before = await withQueue(first, async (queue) => {
    await fill(queue, tasks);
    return await everythingOf(queue);
  });
  tell(`${before.tasks.length} tasks, ${before.transitions.length} transitions`);
  const there = await moveKilled(first, to, { kills: Math.ceil(kills / 2), tell });
  const back = await moveKilled(to, last, { kills: Math.floor(kills / 2), tell });
  for (const closed of [first, to]) {
    await withQueue(closed, async (queue) => {
      const refusal = await queue.enqueue({ type: "t" }).catch((error) => error);
      assert(refusal instanceof QueueError && refusal.code === "queue_moved", String(refusal));
    });
  }
  await withQueue(last, async (queue) => {
    assertEquals(await everythingOf(queue), before);
    assertEquals((await queue.claim({ workerId: "w", types: ["t-1"] })).length, 1);
  });
  return there + back;
}

async function withQueue<T>(path: string, act: (queue: TaskQueue) => Promise<T>): Promise<T> {
  const queue = await openQueue(path);
  try {
    return await act(queue);
  } finally {
    await queue.close();
  }
}

async function fill(queue: TaskQueue, count: number): Promise<void> {
  for (let at = 0; at < count; at += 2000) {
    const length = Math.min(2000, count - at);
    await queue.enqueueBatch(Array.from({ length }, (_, i) => ({
      type: `t-${i % 3}`,
      runId: `run-${at + i}`,
      payload: { n: at + i, text: "x".repeat(i % 200) },
      ...(i % 5 === 4 ? { dependsOn: [`run-${at + i - 1}`] } : {}),
      ...(i % 7 === 0 ? { idempotencyKey: `key-${at + i}` } : {}),
      ...(i % 50 === 0 ? { webhook: { url: "https://hooks.example.com/done" } } : {}),
    })));
  }
  const claim = { workerId: "w", types: ["t-0", "t-1"], limit: 500 };
  for (let done = 0; done < count / 3;) {
    const tasks = await queue.claim(claim);
    await Promise.all(
      tasks.map((task, i) =>
        i % 9 === 0 ? queue.fail(task, new Error("no")) : queue.complete(task, task.id)
      ),
    );
    done += tasks.length;
  }
  await queue.addSchedule({ id: "s", type: "later", cron: "0 0 1 1 *", paused: true });
}

/** Everything, read in parts. */
async function everythingOf(queue: TaskQueue): Promise<Omit<Contents, "records">> {
  const end = moveEndOf(queue)!;
  const all = { ...await contentsOf(queue), records: undefined };
  const tasks = [...all.tasks];
  for (;;) {
    const more = await end.readTasks({ after: tasks.at(-1)!.id });
    if (more.length === 0) break;
    tasks.push(...more);
  }
  const transitions = [];
  for (let after: string | null = null;;) {
    const part = await end.readTransitions(after);
    if (part.transitions.length === 0) break;
    transitions.push(...part.transitions);
    after = part.cursor;
  }
  return { ...all, tasks, transitions };
}

/** Moves; the process is killed a little later each time, until `kills` are over. How many were killed before they ended. */
async function moveKilled(
  from: string,
  to: string,
  { kills, tell }: { readonly kills: number; readonly tell: (text: string) => void },
): Promise<number> {
  let killed = 0;
  for (let n = 0;; n++) {
    const isLast = n >= kills;
    const begunMs = performance.now();
    const { code, seen } = await runMove(from, to, isLast ? Infinity : Math.random() * 1500);
    tell(
      `move ${n + 1}: ${code === 0 ? "done" : "killed"} after ${
        Math.round(performance.now() - begunMs)
      } ms, ${seen}`,
    );
    if (code === 0) return killed;
    if (isLast) throw new Error(`holdfast move ended with ${code}: ${seen}`);
    killed++;
  }
}

/** Runs the command; kills it so long after it has started, or has begun to copy. Its exit code, and its last words. */
async function runMove(
  from: string,
  to: string,
  killAfterMs: number,
): Promise<{ readonly code: number; readonly seen: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check", "--allow-all", "--config"],
      join(CHECKOUT, "deno.json"),
      join(CHECKOUT, "cli", "main.ts"),
      ...["move", "--from", from, "--to", to, "--wait", "0ms"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const killSoon = (): void => {
    if (killAfterMs < Infinity) timer ??= setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  };
  if (Math.random() < 0.3) killSoon();
  let seen = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    seen += text;
    killSoon();
  }
  const { code } = await child.status;
  clearTimeout(timer);
  return { code, seen: seen.trim().split("\n").at(-1) ?? "" };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      to: { type: "string" },
      tasks: { type: "string", default: "20000" },
      kills: { type: "string", default: "20" },
    },
  });
  const folder = await Deno.makeTempDir({ prefix: "holdfast drill ü " });
  try {
    const killed = await drill({
      to: values.to ?? join(folder, "second.db"),
      folder,
      tasks: Number(values.tasks),
      kills: Number(values.kills),
      tell: console.log,
    });
    console.log(`${killed} kills; nothing lost, nothing twice`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
