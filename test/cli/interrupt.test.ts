/**
 * Ctrl-C, once and twice, in every command that goes on: the exit code is the documented one, and the queue opens clean.
 *
 * Interrupts are real: signals to real processes, on Windows a Ctrl-C in a console of their own.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { listenForInterrupts } from "../../cli/interrupt.ts";
import { systemIo } from "../../cli/io.ts";
import { HANDLERS, holdfastProcess, Listener, Scratch } from "./cli_harness.ts";
import { type Interruptible, startInterruptible } from "./interruptible.ts";

interface Case {
  readonly args: readonly string[];
  /** What standard error or output says when it is under way. */
  readonly underWay: string;
  /** The exit code after one interrupt. */
  readonly once: number;
  /** How many tasks there were before; each is called `endless`. */
  readonly tasks?: number;
  /** Whether task 1 was begun and given back before, so that it has a log. */
  readonly ranBefore?: true;
}

const CASES: Readonly<Record<string, Case>> = {
  "an idle worker": {
    args: ["worker", "--handlers", HANDLERS],
    underWay: "executes",
    once: 0,
  },
  "run": {
    args: ["run", "endless", "--handlers", HANDLERS],
    underWay: "handler started",
    once: 130,
  },
  "run without a worker": { args: ["run", "endless"], underWay: "is queued", once: 130 },
  "serve": { args: ["serve", "--port", "0"], underWay: "listening on", once: 0 },
  "serve with a worker": {
    args: ["serve", "--port", "0", "--handlers", HANDLERS],
    underWay: "listening on",
    once: 0,
  },
  "stats --watch": { args: ["stats", "--watch"], underWay: "no workers", once: 130, tasks: 1 },
  "logs --follow": {
    args: ["logs", "1", "-f", "--json"],
    underWay: "handler started",
    once: 130,
    ranBefore: true,
  },
};

const BUSY_WORKER: Case = {
  args: ["worker", "--handlers", HANDLERS, "--log-level", "debug"],
  underWay: " claimed ",
  once: 0,
  tasks: 3,
};

/** Starts a command and waits until it is under way. */
async function started(scratch: Scratch, { args, underWay, ...before }: Case): Promise<{
  readonly child: Interruptible;
  readonly ended: () => Promise<number>;
  readonly err: Listener;
}> {
  await scratch.makeQueue();
  for (let n = 0; n < (before.tasks ?? 0); n++) await scratch.run(["enqueue", "endless"]);
  if (before.ranBefore) await runAndGiveBack(scratch);
  const child = startInterruptible(["--db", scratch.db, ...args]);
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  await (args[0] === "stats" ? out : err).until(underWay);
  return {
    child,
    err,
    ended: async () => {
      const { code } = await child.status;
      await Promise.all([out.ended, err.ended]);
      return code;
    },
  };
}

async function runAndGiveBack(scratch: Scratch): Promise<void> {
  const interrupt = new AbortController();
  await scratch.run(["run", "endless", "--handlers", HANDLERS], {
    interrupt: interrupt.signal,
    onErr: (text) => text.includes("handler started") && interrupt.abort(),
  });
}

async function checkClean(scratch: Scratch): Promise<void> {
  assertEquals((await scratch.run(["check"])).out, "the queue is whole and works\n");
  const { doc } = await scratch.json(["list", "--status", "leased"]);
  assertEquals(doc.total, 0, "nothing is left under a lease");
  for (const task of (await scratch.json(["list"])).doc.tasks) assertEquals(task.attempts, 0);
  assertEquals((await scratch.json(["workers"])).doc.workers, []);
}

for (const [what, one] of Object.entries(CASES)) {
  Deno.test(`${what} ends with ${one.once} at Ctrl-C and leaves a clean queue`, async () => {
    await using scratch = new Scratch();
    const { child, ended } = await started(scratch, one);
    await child.interrupt();
    assertEquals(await ended(), one.once);
    await checkClean(scratch);
  });
}

Deno.test("✗ no grace under deno task and npx: the same interrupt told twice does not hurry, a later one does", () => {
  let interrupt = (_isClosing: boolean): void => {};
  let nowMs = 5000;
  const exits: number[] = [];
  const io = {
    ...systemIo(),
    writeErr: (): void => {},
    onInterrupt: (listener: typeof interrupt) => {
      interrupt = listener;
      return () => {};
    },
    exitNow: (code: number) => void exits.push(code),
  };
  const { signal, graceMs } = listenForInterrupts(io, "stopping", () => nowMs);
  interrupt(false);
  assertEquals([signal.aborted, graceMs()], [true, 10_000]);
  nowMs += 1000;
  interrupt(false);
  assertEquals(exits, []);
  nowMs += 1;
  interrupt(false);
  assertEquals(exits, [130]);
});

Deno.test("a console that is closed leaves handlers less time than the system leaves the process", () => {
  let interrupt = (_isClosing: boolean): void => {};
  const io = {
    ...systemIo(),
    onInterrupt: (listener: typeof interrupt) => {
      interrupt = listener;
      return () => {};
    },
  };
  const { signal, graceMs } = listenForInterrupts(io);
  interrupt(true);
  assertEquals([signal.aborted, graceMs()], [true, 3000]);
});

Deno.test("a second Ctrl-C ends a worker with 130, and its tasks come back", async () => {
  await using scratch = new Scratch();
  const { child, ended, err } = await started(scratch, BUSY_WORKER);
  // The one that follows at once is the same, told again by a parent.
  await child.interrupt();
  await child.interrupt("SIGTERM");
  await err.until("stopping:");
  // What comes within a second of the first is the same one; the first that comes later ends it.
  const again = setInterval(() => child.interrupt(), 100);
  const code = await ended().finally(() => clearInterval(again));
  assertEquals(code, 130);
  assertEquals((await scratch.run(["check"])).code, 0);
  const { doc } = await scratch.json(["stats"]);
  assertEquals([doc.by_status.leased + doc.by_status.queued, doc.total], [3, 3]);
});

Deno.test({
  name: "Ctrl-C while a batch is read from standard input ends with 130 and stores nothing",
  ignore: Deno.build.os === "windows", // no signal can be sent to one process there
  fn: async () => {
    await using scratch = new Scratch();
    await scratch.makeQueue();
    const args = ["--db", scratch.db, "enqueue", "--batch", "-"];
    const child = holdfastProcess(args, { stdin: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    // More than a pipe holds, so that it is read before all of it is written; who reads listens already.
    const line = JSON.stringify({ type: "a", payload: "x".repeat(1000) });
    await writer.write(new TextEncoder().encode(`${line}\n`.repeat(2000)));
    const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    await Promise.all([out.ended, err.ended]);
    assertMatch(err.text, /interrupted; nothing is stored\n$/);
    assertEquals(out.text, "");
    await writer.abort().catch(() => {});
    assertEquals((await scratch.json(["list"])).doc.total, 0);
    assertEquals((await scratch.run(["check"])).code, 0);
  },
});
