/**
 * graphile-worker, plain and with the batching that it offers: a local queue, and completions that wait for others.
 *
 * Where its work differs: a task's row is deleted when it is done, so there is neither history nor result; no token guards a
 * completion, which looks for the worker's name; tasks cannot be claimed but by its own worker. With batching a task that is
 * done is not acknowledged for a while: a crash then runs it again, hours later.
 */
import { payloadOf, TYPE } from "../contender.ts";
import { rowsOf } from "./postgres_rows.ts";
import { CONNECTIONS, type ServerContender, type ServerEntrant } from "./server_contender.ts";

/** Not in `deno.json` but in `bench/deno.lock`, so that only the bench downloads it. */
const PACKAGE = "npm:graphile-worker@0.18.0";

/** What is used of the package. */
interface Graphile {
  makeWorkerUtils(options: Options): Promise<{
    migrate(): Promise<void>;
    addJob(type: string, payload: unknown): Promise<unknown>;
    addJobs(specs: readonly { identifier: string; payload: unknown }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: Options & Runs): Promise<{ stop(): Promise<void> }>;
  readonly Logger: new (factory: () => () => void) => unknown;
}

interface Options {
  readonly connectionString: string;
  readonly schema: string;
  readonly maxPoolSize: number;
  readonly logger: unknown;
}

interface Runs {
  readonly concurrency: number;
  readonly noHandleSignals: true;
  readonly noPreparedStatements: false;
  readonly taskList: Readonly<Record<string, () => Promise<void>>>;
  readonly preset: { readonly worker: Batching };
}

interface Batching {
  readonly localQueue?: { readonly size: number };
  readonly completeJobBatchDelay?: number;
}

/** How many tasks a process locks at once, and how long, in milliseconds, a completion waits for others. */
const BATCHING: Batching = { localQueue: { size: 128 }, completeJobBatchDelay: 0 };

/** One task is locked for each slot, and each completion is a statement. */
export const graphilePlain: ServerEntrant = entrant("graphile-worker", {});

/** Both options. */
export const graphileBatched: ServerEntrant = entrant("graphile-worker, batched", BATCHING);

function entrant(name: string, batching: Batching): ServerEntrant {
  return {
    name,
    survives: "power cut",
    server: "postgres",
    enter: (url, space) => enter({ name, url, space, batching }),
  };
}

async function enter({ name, url, space, batching }: {
  readonly name: string;
  readonly url: string;
  readonly space: string;
  readonly batching: Batching;
}): Promise<ServerContender> {
  const graphile: Graphile = await import(PACKAGE);
  const options: Options = {
    connectionString: url,
    schema: space,
    maxPoolSize: CONNECTIONS,
    logger: new graphile.Logger(() => () => {}),
  };
  const utils = await graphile.makeWorkerUtils(options);
  await utils.migrate();
  const rows = rowsOf(url, 1);
  return {
    name,
    survives: "power cut",
    syncs: () => Promise.resolve(null),
    enqueue: async (n) => {
      await utils.addJob(TYPE, payloadOf(n));
    },
    enqueueBatch: async (count) => {
      await utils.addJobs(
        Array.from({ length: count }, (_, n) => ({ identifier: TYPE, payload: payloadOf(n) })),
      );
    },
    work: async (concurrency, handler) => {
      const runner = await graphile.run({
        ...options,
        concurrency,
        noHandleSignals: true,
        noPreparedStatements: false,
        taskList: {
          [TYPE]: async () => {
            await handler();
          },
        },
        preset: { worker: batching },
      });
      return () => runner.stop();
    },
    hasOpen: async () => (await rows.query(`select from ${space}.jobs limit 1`)).length > 0,
    close: async () => {
      await utils.release();
      await rows.close();
    },
  };
}
