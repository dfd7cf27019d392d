/**
 * The server of a command goes on listening, or ends: it is never alive and deaf.
 */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { OpenError, UsageError } from "../../cli/exit.ts";
import { type RunningServer, serveUntil } from "../../cli/http_server.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { commandOf, HANDLERS, Listener, Scratch } from "./cli_harness.ts";
import { startInterruptible } from "./interruptible.ts";
import { programTest } from "../support/thorough.ts";

const ADDRESS = { host: "127.0.0.1", port: 0 };

const HAS_ULIMIT = Deno.build.os !== "windows";

/** Servers that a test ends as it likes. */
class Servers {
  readonly started: { port: number; fail: (reason: Error) => void; end: () => void }[] = [];
  readonly failures: string[] = [];
  readonly #started: (() => void)[] = [];
  /** What the next attempts to listen are refused with. */
  refusal: Error | undefined;

  readonly start = ({ port }: { port: number }): RunningServer => {
    if (this.refusal !== undefined) throw this.refusal;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.started.push({ port, fail: reject, end: resolve });
    this.#started.splice(0).forEach((tell) => tell());
    return {
      addr: { transport: "tcp", hostname: "127.0.0.1", port: port || 4711 },
      finished: promise,
      shutdown: () => {
        resolve();
        return promise;
      },
    };
  };

  /** Serves with `clock`. */
  serve(signal: AbortSignal, clock: FakeClock): Promise<string> {
    return serveUntil(signal, {
      address: ADDRESS,
      handler: () => new Response(),
      onListening: () => {},
      onFailure: (message) => this.failures.push(message),
      clock,
      start: this.start,
    });
  }
}

Deno.test("a server whose listener fails listens again on the same port", async () => {
  const [servers, clock, stop] = [new Servers(), new FakeClock(), new AbortController()];
  const serving = servers.serve(stop.signal, clock);
  servers.started[0]!.fail(new Error("Too many open files (os error 24)"));
  await clock.advance(100);
  await clock.advance(500);
  assertEquals(servers.started.map(({ port }) => port), [0, 4711]);
  assertEquals(servers.failures.length, 1);
  assertStringIncludes(servers.failures[0]!, "Too many open files");
  stop.abort();
  assertEquals(await serving, "http://127.0.0.1:4711");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a server that may not listen again for 30 s ends with 4", async () => {
  const [servers, clock, stop] = [new Servers(), new FakeClock(), new AbortController()];
  const refused = assertRejects(
    () => servers.serve(stop.signal, clock),
    OpenError,
    "Cannot listen on http://127.0.0.1:4711 again for 30 s: Address already in use",
  );
  servers.started[0]!.fail(new Error("Too many open files"));
  servers.refusal = new Error("Address already in use");
  for (let n = 0; n < 80; n++) await clock.advance(500);
  await refused;
});

Deno.test("a server that is stopped while it waits to listen again ends at once", async () => {
  const [servers, clock, stop] = [new Servers(), new FakeClock(), new AbortController()];
  const serving = servers.serve(stop.signal, clock);
  servers.started[0]!.fail(new Error("Too many open files"));
  await clock.advance(100);
  stop.abort();
  assertEquals(await serving, "http://127.0.0.1:4711");
  assertEquals([servers.started.length, clock.pendingTimers], [1, 0]);
});

Deno.test("a server that cannot listen at first was used wrongly", async () => {
  const [servers, clock] = [new Servers(), new FakeClock()];
  servers.refusal = new Error("Address already in use");
  const serve = (): Promise<string> => servers.serve(new AbortController().signal, clock);
  await assertRejects(serve, UsageError, "Cannot listen on 127.0.0.1:0: Address already in use");
});

/** `holdfast serve` as a process in which so many files may be open, ended with the scope. */
async function serveWithin(scratch: Scratch, descriptors: number): Promise<
  { readonly port: number; readonly err: Listener; stop(): Promise<number> } & AsyncDisposable
> {
  const command = commandOf(["--db", scratch.db, "serve", "--port", "0", "--handlers", HANDLERS]);
  const limited = `ulimit -n ${descriptors}; exec "$0" "$@"`;
  const child = new Deno.Command("sh", {
    args: ["-c", limited, Deno.execPath(), ...command],
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const err = new Listener(child.stderr);
  let isOver = false;
  child.status.then(() => isOver = true);
  const stop = async (): Promise<number> => {
    child.kill("SIGTERM");
    const { code } = await child.status;
    await err.ended;
    return code;
  };
  await err.until("listening on http://127.0.0.1:");
  const port = Number(/127\.0\.0\.1:(\d+)/.exec(err.text)![1]);
  return {
    port,
    err,
    stop,
    [Symbol.asyncDispose]: async () => {
      if (!isOver) child.kill("SIGKILL");
      await Promise.all([child.status, err.ended]);
    },
  };
}

/** As many connections as can be had, each with the beginning of a request or nothing. */
async function connect(port: number, count: number, head = ""): Promise<Deno.TcpConn[]> {
  const open: Deno.TcpConn[] = [];
  for (let n = 0; n < count; n++) {
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      open.push(connection);
      if (head !== "") await connection.write(new TextEncoder().encode(head));
    } catch (thrown) {
      const { ConnectionRefused, ConnectionReset, NotConnected, BrokenPipe } = Deno.errors;
      const isCut = [ConnectionRefused, ConnectionReset, NotConnected, BrokenPipe].some((kind) =>
        thrown instanceof kind
      );
      if (!isCut) throw thrown;
    }
  }
  return open;
}

/** The health's status, as soon as the server answers again. */
async function healthOf(port: number): Promise<number> {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/api/health`);
      await response.body?.cancel();
      return response.status;
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

programTest(
  "more connections than a server may open leave its worker alone, and it answers again",
  async () => {
    await using scratch = new Scratch();
    await using server = await serveWithin(scratch, 120);
    const open = await connect(server.port, 200);
    await server.err.until("Too many open files");
    await scratch.run(["enqueue", "echo"]);
    await server.err.until("completed task 1");
    for (const connection of open) connection.close();
    assertEquals(await healthOf(server.port), 200);
    assertEquals(await server.stop(), 0);
  },
  { ignore: !HAS_ULIMIT },
);

programTest(
  "serve ends with 0 at an interrupt although a body never comes and heads are half",
  async () => {
    await using scratch = new Scratch();
    const args = ["serve", "--port", "0", "--handlers", HANDLERS];
    const server = startInterruptible(["--db", scratch.db, ...args]);
    const [out, err] = [new Listener(server.stdout), new Listener(server.stderr)];
    await err.until("listening on http://127.0.0.1:");
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(err.text)![1]);
    const head = "POST /api/queue/enqueue HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
      "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    const open = [...await connect(port, 2, head), ...await connect(port, 2, "POST /api")];
    assertEquals(await healthOf(port), 200);
    await server.interrupt("SIGTERM");
    assertEquals((await server.status).code, 0);
    await Promise.all([out.ended, err.ended]);
    assertMatch(err.text, /worker \S+ has stopped: /);
    for (const connection of open) connection.close();
  },
);
