/**
 * The command line as a real process: exit codes, pipes and signals.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { HANDLERS, holdfastProcess, Listener, Scratch } from "./cli_harness.ts";
import { startInterruptible } from "./interruptible.ts";

async function outputOf(args: readonly string[]): Promise<[number, string, string]> {
  const { code, stdout, stderr } = await holdfastProcess(args).output();
  const decoder = new TextDecoder();
  return [code, decoder.decode(stdout), decoder.decode(stderr)];
}

Deno.test("a process ends with the command's exit code", async () => {
  await using scratch = new Scratch();
  assertEquals((await outputOf(["--db", scratch.db, "enqueue", "echo"]))[0], 0);
  assertEquals((await outputOf(["--db", scratch.db, "retry", "1"]))[0], 1);
  assertEquals((await outputOf(["--db", scratch.db, "nonsense"]))[0], 2);
  assertEquals((await outputOf(["--db", scratch.db, "show", "7"]))[0], 3);
  const [code, out, err] = await outputOf(["--db", scratch.folder, "list", "--json"]);
  assertEquals([code, out], [4, ""]);
  assertMatch(err, /^holdfast: [^\n]+\n$/);
});

Deno.test("a process reads a batch from its standard input", async () => {
  await using scratch = new Scratch();
  const child = holdfastProcess(["--db", scratch.db, "enqueue", "--batch", "-", "--json"], {
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode('{"type":"a"}\r\n{"type":"ü"}\r\n'));
  await writer.close();
  const { code, stdout } = await child.output();
  assertEquals([code, JSON.parse(new TextDecoder().decode(stdout)).created], [0, 2]);
  assertEquals((await scratch.json(["show", "2"])).doc.type, "ü");
});

Deno.test("a reader that has seen enough is not an error", async () => {
  await using scratch = new Scratch();
  const lines = Array.from({ length: 1000 }, () => `{"type":"${"x".repeat(200)}"}`).join("\n");
  await scratch.run(["enqueue", "--batch", "-"], { files: { "-": lines } });
  const child = holdfastProcess(["--db", scratch.db, "list", "--limit", "1000"]).spawn();
  const reader = child.stdout.getReader();
  assertEquals((await reader.read()).done, false);
  await reader.cancel();
  const err = await new Response(child.stderr).text();
  assertEquals([(await child.status).code, err], [0, ""]);
});

/** A signal sent by a program ends a process on Windows; it cannot be caught there. */
/** Windows has no SIGTERM; `interrupt.test.ts` ends the same commands by Ctrl-C. */
const ignore = Deno.build.os === "windows";

Deno.test({
  name: "a worker process stops with 0 at the first SIGTERM",
  ignore,
  fn: async () => {
    await using scratch = new Scratch();
    await scratch.run(["enqueue", "echo"]);
    const args = ["--db", scratch.db, "worker", "--handlers", HANDLERS];
    const child = holdfastProcess(args, { stdout: "null" }).spawn();
    const err = new Listener(child.stderr);
    await err.until("completed task 1");
    child.kill("SIGTERM");
    await err.until("has stopped: 1 completed");
    assertEquals((await child.status).code, 0);
    await err.ended;
  },
});

Deno.test("a worker process ends with 130 at the second SIGINT", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "endless"]);
  const args = ["--db", scratch.db, "worker", "--handlers", HANDLERS];
  const child = startInterruptible(args);
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  const interrupt = new AbortController();
  const following = scratch.run(["logs", "1", "-f", "--json"], {
    interrupt: interrupt.signal,
    onErr: (text) => text.includes("handler started") && interrupt.abort(),
  });
  assertEquals((await following).code, 130);
  await child.interrupt();
  await err.until("interrupt again to end at once");
  // What comes within a second of the first counts as the same one.
  const again = setInterval(() => child.interrupt(), 100);
  const { code } = await child.status.finally(() => clearInterval(again));
  assertEquals(code, 130);
  await Promise.all([out.ended, err.ended]);
});

Deno.test("run as a process ends with 130 at SIGINT and gives the task back", async () => {
  await using scratch = new Scratch();
  const args = ["--db", scratch.db, "run", "endless", "--handlers", HANDLERS];
  const child = startInterruptible(args);
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  await err.until("info  handler started");
  await child.interrupt();
  assertEquals((await child.status).code, 130);
  await Promise.all([out.ended, err.ended]);
  assertEquals((await scratch.json(["show", "1"])).doc.status, "queued");
});

Deno.test({
  name: "serve as a process stops with 0 at SIGTERM",
  ignore,
  fn: async () => {
    await using scratch = new Scratch();
    const args = ["--db", scratch.db, "serve", "--port", "0"];
    const child = holdfastProcess(args, { stdout: "null" }).spawn();
    const err = new Listener(child.stderr);
    await err.until("listening on http://127.0.0.1:");
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    await err.ended;
  },
});
