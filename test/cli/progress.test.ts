/**
 * Progress on standard error: what a terminal sees, and that nothing of it stays or reaches a pipe.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { showingWork, startProgress } from "../../cli/progress.ts";
import { capturedIo } from "./cli_harness.ts";
import { main } from "../../cli/main.ts";
import { Scratch } from "./cli_harness.ts";

/** Runs a command whose standard error is a terminal. */
async function atTerminal(scratch: Scratch, args: readonly string[], input = ""): Promise<string> {
  const { io, written } = capturedIo({ files: { "-": input } });
  assertEquals(await main(["--db", scratch.db, ...args], { ...io, errIsTerminal: true }), 0);
  return written.err;
}

Deno.test("long work says what it does on a terminal, and leaves an empty line", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "a"]);
  const batch = '{"type":"a"}\n'.repeat(3);
  for (
    const [args, label] of [
      [["enqueue", "--batch", "-"], "storing 3 tasks"],
      [["checkpoint"], "folding the journal"],
      [["check"], "checking the queue"],
      [["backup", scratch.path("b.db")], "writing and verifying"],
      [["restore", scratch.path("b.db")], "restoring"],
      [["prune", "--keep", "1"], "deleting"],
      [["repair", "--output", scratch.path("r.db")], "salvaging"],
    ] as const
  ) {
    const err = await atTerminal(scratch, args, batch);
    assert(err.startsWith("\r"), args.join(" "));
    assert(err.includes(label), err);
    assert(err.endsWith("\r\u001b[K"), JSON.stringify(err));
  }
});

Deno.test("long work that fails clears its line and passes the failure on", async () => {
  const { io, written } = capturedIo();
  const failing = showingWork(
    { ...io, errIsTerminal: true },
    "working",
    () => Promise.reject(new Error("no")),
  );
  await assertRejects(() => failing, Error, "no");
  assert(written.err.endsWith("\r\u001b[K"));
});

Deno.test("long work and progress write no control characters into a pipe", async () => {
  const { io, written } = capturedIo();
  assertEquals(await showingWork(io, "working", () => Promise.resolve(7)), 7);
  assertEquals(written.err, "");
  const progress = startProgress(io, { total: 4, unit: "tasks" });
  for (let done = 1; done <= 4; done++) progress.update(done);
  progress.stop();
  assertEquals(written.err, "1/4 tasks\n2/4 tasks\n3/4 tasks\n4/4 tasks\n");
});

Deno.test("a bar on a terminal shows how far it is and disappears", () => {
  const { io, written } = capturedIo();
  const progress = startProgress({ ...io, errIsTerminal: true }, { total: 4, unit: "tasks" });
  progress.update(2, "half-way");
  progress.line("a line that stays");
  progress.stop();
  assertMatch(written.err, /a line that stays\n/);
  assertMatch(written.err, /0\/4 tasks/);
});
