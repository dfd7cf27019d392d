/**
 * The server is killed while a client follows a run that another process works on: the client goes on with the next server.
 */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { HoldfastClient } from "../../client/client.ts";
import { openLogStore, openQueue } from "../../src/mod.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { until } from "../support/until.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const START_WITHIN_MS = 60_000;

Deno.test("a client sees each line once although the server is killed and another takes its place", () =>
  withTemporaryPath(async (path) => {
    const queue = await openQueue(path);
    const logs = openLogStore(path);
    await queue.enqueue({ type: "t", runId: "r1" });
    const [task] = await queue.claim({ workerId: "w", types: ["t"], leaseDurationMs: 600_000 });
    const write = (from: number, to: number): void => {
      for (let n = from; n < to; n++) {
        const at = new Date().toISOString();
        logs.append(task!.id, { at, level: "info", message: `line ${n}`, attempt: 1 });
      }
    };
    const port = freePort();
    const seen: string[] = [];
    const client = new HoldfastClient({ url: `http://127.0.0.1:${port}` });
    const first = await serve(path, port);
    const following = (async () => {
      for await (const event of client.follow("r1")) {
        seen.push(event.event === "log" ? event.data.message : event.event);
      }
    })();
    write(0, 10);
    await until(() => seen.includes("line 9"), "the first lines", START_WITHIN_MS);
    first.kill("SIGKILL");
    await first.status;
    write(10, 20);
    const second = await serve(path, port);
    await until(() => seen.includes("line 19"), "the lines in between", START_WITHIN_MS);
    write(20, 25);
    await queue.complete(task!, "done");
    await following;
    assertEquals(seen, [
      "status",
      ...Array.from({ length: 25 }, (_, n) => `line ${n}`),
      "status",
      "complete",
    ]);
    second.kill("SIGKILL");
    await second.status;
    await queue.close();
  }));

/** A port that nobody listens on now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A server in a process of its own; resolves when it answers. */
async function serve(path: string, port: number): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", `--config=${CONFIG}`, "-A", MAIN]
      .concat("--db", path, "serve", "--no-worker", "--port", String(port)),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until(() => answers(port), "the server to answer", START_WITHIN_MS);
  return child;
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/health`);
    await response.body?.cancel();
    return response.ok;
  } catch (thrown) {
    if (thrown instanceof TypeError) return false; // nobody listens yet
    throw thrown;
  }
}
