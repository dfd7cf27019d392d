/**
 * The servers that contenders need, each where the machine has its program: they are started for the run, and all of their
 * data is removed after it.
 */
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { rowsOf } from "./contenders/servers/postgres_rows.ts";
import type { ServerKind } from "./contenders/servers/server_contender.ts";
import { cpuMsOf } from "./process_cpu.ts";
import { startRedis } from "./redis_server.ts";
import { removePostgres, startPostgres, whyNotStarted } from "../test/support/postgres_server.ts";

/** A server that runs. */
export interface Server {
  readonly url: string;
  /** Its first process; the others are its children. */
  readonly pid: number;
}

/** Those that this machine has. */
export type Servers = ReadonlyMap<ServerKind, Server>;

/** Tests do without `fsync`. */
const DURABLE = ["max_connections=200", "fsync=on"];

/** Runs `use` beside all servers that there are. */
export async function withServers<T>(
  bench: Bench,
  use: (servers: Servers) => Promise<T>,
): Promise<T> {
  const servers = new Map<ServerKind, Server>();
  const stops: (() => Promise<void>)[] = [];
  try {
    await addPostgres(bench, servers, stops);
    for (const fsync of ["always", "everysec"] as const) {
      const redis = await startRedis(bench.folder(`redis ${fsync}`), fsync);
      if (redis === undefined) bench.say("there is no redis-server here, so BullMQ is left out");
      else servers.set(`redis ${fsync}`, redis), stops.push(() => redis.stop());
    }
    return await use(servers);
  } finally {
    for (const stop of stops) await stop();
  }
}

/** CPU time of this process, of a server and of other processes beside them, so far; `null` where it is not known. */
export function cpuMsWith(server: Server, pids: readonly number[] = []): Promise<number | null> {
  return cpuMsOf([Deno.pid, server.pid, ...pids]);
}

async function addPostgres(
  bench: Bench,
  servers: Map<ServerKind, Server>,
  stops: (() => Promise<void>)[],
): Promise<void> {
  const reason = whyNotStarted();
  if (reason !== undefined) return bench.say(`left out: ${reason}`);
  const postgres = await startPostgres(DURABLE);
  stops.push(() => removePostgres(postgres));
  servers.set("postgres", { url: postgres.url, pid: await pidOf(postgres.url) });
}

async function pidOf(url: string): Promise<number> {
  const rows = rowsOf(url, 1);
  const [row] = await rows.query("show data_directory");
  await rows.close();
  const file = await Deno.readTextFile(join(String(row!.data_directory), "postmaster.pid"));
  return Number.parseInt(file);
}
