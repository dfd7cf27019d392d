/**
 * A Redis server that keeps its tasks in a log, where the machine has the program: BENCH_REDIS_SERVER names it, or the path does.
 */
const PROGRAM = Deno.env.get("BENCH_REDIS_SERVER") ?? "redis-server";

/** A server that runs. */
export interface RedisServer {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server with its files in `folder`, which waits for the disk as `fsync` says; `undefined` where there is no such program. */
export async function startRedis(
  folder: string,
  fsync: "always" | "everysec",
): Promise<RedisServer | undefined> {
  if (!await isThere()) return undefined;
  const port = freePort();
  const settings = {
    port,
    bind: "127.0.0.1",
    dir: folder,
    save: "",
    appendonly: "yes",
    appendfsync: fsync,
  };
  const process = new Deno.Command(PROGRAM, {
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    stdin: "null",
    stdout: "null",
  }).spawn();
  await untilListening(port);
  return {
    pid: process.pid,
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      process.kill();
      await process.status;
    },
  };
}

async function isThere(): Promise<boolean> {
  try {
    const command = new Deno.Command(PROGRAM, { args: ["--version"], stdout: "null" });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
