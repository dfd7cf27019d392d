/**
 * Failover: the primary is killed, its synchronous standby takes its place. Nothing that was acknowledged is lost, nothing is done
 * twice under one token, and processes that have both as hosts go on by themselves.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { openQueue, StorageError } from "../../src/mod.ts";
import { freshSchema } from "../support/postgres_queues.ts";
import { removePostgres, startPostgres, whyNoPostgres } from "../support/postgres_server.ts";
import { until } from "../support/until.ts";

const PROCESSES = 2;
const PROGRAM = fileURLToPath(new URL("programs/enqueue_and_work.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** It copies a server's data and kills its processes as Unix does. */
const reason = Deno.build.os === "windows"
  ? "kills processes as Unix does"
  : Deno.env.has("HOLDFAST_TEST_POSTGRES")
  ? "starts its own servers"
  : whyNoPostgres();

/** A process that enqueues and works, and what it was told. */
class Client {
  readonly lines: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<void>;
  readonly #errors: Promise<string>;

  constructor(address: string, name: string) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-c", CONFIG, "-A", PROGRAM, address, name],
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    }).spawn();
    this.#errors = new Response(this.#process.stderr).text();
    this.#read = this.#readLines();
  }

  /** Lets it end by itself; what it wrote to standard error. */
  async end(): Promise<{ readonly success: boolean; readonly errors: string }> {
    await this.#process.stdin.close();
    const [{ success }, errors] = await Promise.all([
      this.#process.status,
      this.#errors,
      this.#read,
    ]);
    return { success, errors };
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const part of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const whole = (rest + part).split("\n");
      rest = whole.pop()!;
      this.lines.push(...whole);
    }
  }
}

Deno.test({
  name:
    `a standby takes the place of a primary that was killed, and nothing that was acknowledged is lost${
      reason === undefined ? "" : `: ${reason}`
    }`,
  ignore: reason !== undefined,
  fn: async () => {
    const primary = await startPostgres();
    const standby = await primary.startStandby();
    const ports = [primary, standby].map(({ url }) => new URL(url).port);
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
    const address = `postgres://postgres@${hosts}/postgres?schema=${freshSchema()}`;
    await (await openQueue(address)).close();
    const clients = Array.from({ length: PROCESSES }, (_, i) => new Client(address, `w${i}`));
    const moved = async (what: string): Promise<void> => {
      const before = clients.map(({ lines }) => lines.length);
      const hasMoved = (): boolean =>
        clients.every(({ lines }, i) => lines.length > before[i]! + 40);
      await until(hasMoved, what);
    };
    await moved("work before the failover");
    await primary.kill();
    const error = await assertRejects(() => openQueue(address), StorageError);
    for (const part of [...ports, "none of the hosts", "standby", "promote"]) {
      assert(error.message.includes(part), `${error.message} lacks ${part}`);
    }
    await standby.promote();
    const promotedMs = performance.now();
    await moved("work after the promotion");
    console.log(`went on within ${((performance.now() - promotedMs) / 1000).toFixed(1)} s`);
    for (const client of clients) {
      const { success, errors } = await client.end();
      assertEquals([success, errors], [true, ""]);
    }
    const queue = await openQueue(address);
    const completed = new Map<string, string>();
    for (const line of clients.flatMap(({ lines }) => lines)) {
      const [kind, runId, token] = line.split(" ") as [string, string, string];
      const task = await queue.getByRunId(runId);
      assert(task !== undefined, `${runId} is lost`);
      if (kind === "e") continue;
      assert(
        !completed.has(runId),
        `${runId} was completed with tokens ${completed.get(runId)}, ${token}`,
      );
      completed.set(runId, token);
      assertEquals([task.status, task.result], ["completed", Number(token)]);
    }
    assert(completed.size > 0);
    await queue.close();
    await removePostgres(standby);
    await removePostgres(primary);
  },
});
