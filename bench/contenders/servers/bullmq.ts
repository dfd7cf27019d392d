/**
 * BullMQ on a Redis that writes its log to the disk before it answers (`appendfsync always`), and on one that does so once a
 * second (`everysec`).
 *
 * Where its work differs: all tasks are in the server's memory; finished ones are kept, without transitions; a completion is
 * refused unless the lock has the worker's token. Where there is no Redis program on the machine it is left out.
 */
import type { Survives } from "../../figures.ts";
import { payloadOf, RESULT, TYPE } from "../contender.ts";
import type { ServerContender, ServerEntrant } from "./server_contender.ts";

/** Not in `deno.json` but in `bench/deno.lock`, so that only the bench downloads it. */
const PACKAGES = { bullmq: "npm:bullmq@6.7.0", ioredis: "npm:ioredis@6.0.0" } as const;

interface Job {
  moveToCompleted(result: unknown, token: string, fetchNext: boolean): Promise<unknown>;
}

interface BullQueue {
  add(type: string, payload: object): Promise<unknown>;
  addBulk(jobs: readonly { readonly name: string; readonly data: object }[]): Promise<unknown>;
  getJobCounts(...states: string[]): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

interface BullWorker {
  on(event: "error", listener: (error: Error) => void): void;
  getNextJob(token: string, options: { readonly block: boolean }): Promise<Job | undefined>;
  close(): Promise<void>;
}

interface Connection {
  quit(): Promise<unknown>;
}

const TOKEN = "bench";

/** On a Redis that waits for the disk before it answers. */
export const bullMqAlways: ServerEntrant = entrant("always", "power cut");

/** On a Redis that writes to the disk once a second: a power cut takes up to a second of acknowledged tasks. */
export const bullMqEverySecond: ServerEntrant = entrant("everysec", "killed process");

function entrant(fsync: "always" | "everysec", survives: Survives): ServerEntrant {
  const name = `BullMQ, Redis appendfsync ${fsync}`;
  return {
    name,
    survives,
    server: `redis ${fsync}`,
    enter: (url, space) => enter({ name, survives, url, space }),
  };
}

async function enter({ name, survives, url, space }: {
  readonly name: string;
  readonly survives: Survives;
  readonly url: string;
  readonly space: string;
}): Promise<ServerContender> {
  const { Queue, Worker } = await import(PACKAGES.bullmq);
  const { Redis } = await import(PACKAGES.ioredis);
  const connections: Connection[] = [];
  const connect = (): Connection => {
    const connection: Connection = new Redis(url, { maxRetriesPerRequest: null });
    connections.push(connection);
    return connection;
  };
  const queue: BullQueue = new Queue(space, { connection: connect() });
  const workerOf = (handler: unknown, options: object): BullWorker => {
    const worker: BullWorker = new Worker(space, handler, { connection: connect(), ...options });
    worker.on("error", (error) => console.error(error));
    return worker;
  };
  const claimer = workerOf(null, { autorun: false });
  const claimOne = async (): Promise<number> => {
    const job = await claimer.getNextJob(TOKEN, { block: false });
    await job?.moveToCompleted(RESULT, TOKEN, false);
    return job === undefined ? 0 : 1;
  };
  return {
    name,
    survives,
    syncs: () => Promise.resolve(null),
    enqueue: async (n) => {
      await queue.add(TYPE, payloadOf(n));
    },
    enqueueBatch: async (count) => {
      await queue.addBulk(
        Array.from({ length: count }, (_, n) => ({ name: TYPE, data: payloadOf(n) })),
      );
    },
    claimAndComplete: async (limit) => {
      const done = await Promise.all(Array.from({ length: limit }, claimOne));
      return done.reduce((sum, each) => sum + each, 0);
    },
    work: (concurrency, handler) => {
      const worker = workerOf(handler, { concurrency });
      return Promise.resolve(() => worker.close());
    },
    hasOpen: async () => {
      const counts = await queue.getJobCounts("wait", "active", "prioritized", "delayed");
      return Object.values(counts).some((count) => count > 0);
    },
    close: async () => {
      await claimer.close();
      await queue.close();
      await Promise.all(connections.map((connection) => connection.quit()));
    },
  };
}
