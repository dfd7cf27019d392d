/**
 * Following across processes: `logs -f` and `run` see what another process does, from before it begins, to its end.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { openLogStore, openQueue } from "../../src/mod.ts";
import { HANDLERS, holdfastProcess, Listener, Scratch } from "./cli_harness.ts";

Deno.test("logs -f of a task that has not begun follows another process from its first line to its end", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "echo", "--run-id", "r-1"]);
  const child = holdfastProcess(["--db", scratch.db, "logs", "r-1", "-f"]).spawn();
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  const worker = ["--db", scratch.db, "worker", "--handlers", HANDLERS, "--until-empty"];
  assertEquals((await holdfastProcess(worker).output()).code, 0);
  assertEquals((await child.status).code, 0);
  await Promise.all([out.ended, err.ended]);
  assertMatch(out.text, /^\S+Z info {2}echoing \{"attempt":1\}\n$/);
});

Deno.test("run follows the log and the progress of another process, and gives its result", async () => {
  await using scratch = new Scratch();
  await scratch.makeQueue();
  const args = ["--db", scratch.db, "run", "echo", "--payload", "1"];
  const child = holdfastProcess(args).spawn();
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  await err.until("is queued");
  const worker = ["--db", scratch.db, "worker", "--handlers", HANDLERS, "--until-empty"];
  assertEquals((await holdfastProcess(worker).output()).code, 0);
  assertEquals((await child.status).code, 0);
  await Promise.all([out.ended, err.ended]);
  assertEquals(out.text, '{"echoed":1}\n');
  assertMatch(err.text, /^\S+Z info {2}echoing/m);
});

Deno.test("logs -f goes on where a log that was rotated begins anew", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "wait"]);
  const logs = openLogStore(scratch.db);
  const line = (message: string): void =>
    logs.append(1, { at: new Date().toISOString(), level: "info", message, attempt: 1 });
  line("a first line that is longer than the next");
  const seen: string[] = [];
  const next = [
    async () => {
      await Deno.writeTextFile(`${scratch.db}.logs/1.ndjson`, ""); // as logrotate's copytruncate does
      line("second");
    },
    async () => {
      await Deno.rename(`${scratch.db}.logs/1.ndjson`, scratch.path("1.old"));
      line("3");
    },
    async () => {
      const queue = await openQueue(scratch.db);
      await queue.cancel(1);
      await queue.close();
    },
  ];
  let done: Promise<void> = Promise.resolve();
  const { code } = await scratch.run(["logs", "1", "-f"], {
    onOut: (text) => {
      seen.push(text.trim().split(" ").at(-1)!);
      done = next.shift()!();
    },
  });
  await done;
  assertEquals([code, seen], [0, ["next", "second", "3"]]);
});
