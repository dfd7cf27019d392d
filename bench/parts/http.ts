/**
 * The HTTP run endpoint over real sockets, each back end in a process of its own: one connection, and 32.
 *
 * `in-memory` is the same application on a queue that writes no file. The bare route on a `BackgroundTaskManager` is
 * what an application has without Holdfast: no checks, nothing kept, and the work runs within.
 */
import { join } from "node:path";
import type { Bench, Part } from "../bench.ts";
import { type Child, startProgram } from "../children.ts";
import { payloadOf, TYPE } from "../contenders/contender.ts";
import type { Figure } from "../figures.ts";
import { HttpConnection } from "../http_connection.ts";
import { cpuMsOf } from "../process_cpu.ts";
import { measure, type Stopwatch, type Subject } from "../measure.ts";
import type { Backend } from "../programs/http_server.ts";
import { REACH_WORK } from "../reach_work.ts";

const CONNECTIONS = [1, 32] as const;
const ACCEPTED = 202;

const BACKENDS: readonly (Pick<Subject, "name" | "survives"> & { readonly backend: Backend })[] = [
  { backend: "full", name: "Holdfast, full", survives: "power cut" },
  { backend: "relaxed", name: "Holdfast, relaxed", survives: "killed process" },
  { backend: "memory", name: "in-memory", survives: "nothing" },
  { backend: "manager", name: "in-memory manager, bare route", survives: "nothing" },
];

interface Server extends Subject {
  readonly child: Child;
  readonly port: number;
}

/** The part `http`. */
export const HTTP_PART: Part = {
  name: "http",
  about: "the run endpoint at 1 and 32 connections, queue and in-memory",
  run: async (bench) => {
    const subjects = await startServers(bench);
    const figures: Figure[] = [];
    try {
      for (const connections of CONNECTIONS) {
        const name = REACH_WORK.http(connections);
        bench.say(name);
        const run = (server: Server, watch: Stopwatch): Promise<number> =>
          request(server, watch, [connections, bench.scale.requests]);
        const { rounds } = bench.scale;
        figures.push(...await measure("http", { name, run }, { subjects, rounds }));
      }
    } finally {
      for (const { child } of subjects) await child.end();
    }
    return figures;
  },
};

async function startServers(bench: Bench): Promise<Server[]> {
  const servers: Server[] = [];
  for (const { backend, name, survives } of BACKENDS) {
    const path = join(bench.folder(`http ${backend}`), "queue.db");
    const child = startProgram("http_server", backend, path);
    const port = await child.hear<number>();
    const cpuMs = (): Promise<number | null> => cpuMsOf([child.pid]);
    servers.push({ name, survives, child, port, syncs: () => Promise.resolve(null), cpuMs });
  }
  return servers;
}

async function request(
  { port }: Server,
  watch: Stopwatch,
  [connections, requests]: readonly [connections: number, requests: number],
): Promise<number> {
  const open = await Promise.all(
    Array.from({ length: connections }, () => HttpConnection.open(port)),
  );
  const each = requests / connections;
  const send = async (connection: HttpConnection): Promise<void> => {
    for (let n = 0; n < each; n++) {
      const body = JSON.stringify({ parameters: payloadOf(n) });
      const status = await watch.lap(() => connection.post(`/api/modules/${TYPE}/run`, body));
      if (status !== ACCEPTED) throw new Error(`The server answered ${status}`);
    }
  };
  await watch.total(async () => {
    await Promise.all(open.map(send));
  });
  for (const connection of open) connection.close();
  return each * connections;
}
