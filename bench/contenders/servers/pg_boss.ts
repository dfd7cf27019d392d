/**
 * pg-boss, whose workers fetch 32 tasks at once and go on at once while fetches are full; a notification wakes them.
 *
 * Where its work differs: finished tasks are kept for days, without transitions; a completion is checked against the attempt
 * that was fetched. A worker's tasks of one fetch end together, in one statement, and so does a claim of 32 here.
 */
import { payloadOf, RESULT, TYPE } from "../contender.ts";
import { rowsOf } from "./postgres_rows.ts";
import { CONNECTIONS, type ServerContender, type ServerEntrant } from "./server_contender.ts";

/** Not in `deno.json` but in `bench/deno.lock`, so that only the bench downloads it. */
const PACKAGE = "npm:pg-boss@12.38.0";

interface Job {
  readonly id: string;
}

/** What is used of the package. */
interface Boss {
  on(event: "error", listener: (error: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: { readonly graceful: boolean }): Promise<void>;
  createQueue(name: string, options: { readonly notify: boolean }): Promise<void>;
  send(name: string, payload: object): Promise<string | null>;
  insert(name: string, jobs: readonly { readonly data: object }[]): Promise<unknown>;
  fetch(name: string, options: { readonly batchSize: number }): Promise<readonly Job[]>;
  complete(name: string, jobs: readonly Job[], result: object): Promise<unknown>;
  work(
    name: string,
    options: Readonly<Record<string, unknown>>,
    handler: (jobs: readonly Job[]) => Promise<unknown>,
  ): Promise<string>;
  offWork(name: string): Promise<void>;
}

/** As often as it may, although notifications wake it. */
const POLLING = { pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 } as const;

const NAME = "pg-boss";

/** pg-boss. */
export const pgBoss: ServerEntrant = {
  name: NAME,
  survives: "power cut",
  server: "postgres",
  enter: async (url, space): Promise<ServerContender> => {
    const boss = await startBoss(url, space);
    const rows = rowsOf(url, 1);
    const hasOpen = `select from ${space}.job where state < 'completed' limit 1`;
    return {
      name: NAME,
      survives: "power cut",
      syncs: () => Promise.resolve(null),
      enqueue: async (n) => {
        await boss.send(TYPE, payloadOf(n));
      },
      enqueueBatch: async (count) => {
        await boss.insert(TYPE, Array.from({ length: count }, (_, n) => ({ data: payloadOf(n) })));
      },
      claimAndComplete: async (limit) => {
        const jobs = await boss.fetch(TYPE, { batchSize: limit });
        if (jobs.length > 0) await boss.complete(TYPE, jobs, RESULT);
        return jobs.length;
      },
      work: async (concurrency, handler) => {
        await boss.work(
          TYPE,
          { batchSize: concurrency, burstWhenBatchFull: true, ...POLLING },
          async (jobs) => {
            await Promise.all(jobs.map(handler));
            return RESULT;
          },
        );
        return () => boss.offWork(TYPE);
      },
      hasOpen: async () => (await rows.query(hasOpen)).length > 0,
      close: async () => {
        await boss.stop({ graceful: false });
        await rows.close();
      },
    };
  },
};

async function startBoss(url: string, space: string): Promise<Boss> {
  const { PgBoss } = await import(PACKAGE);
  const boss: Boss = new PgBoss({
    connectionString: url,
    schema: space,
    max: CONNECTIONS,
    schedule: false,
    useListenNotify: true,
  });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(TYPE, { notify: true });
  return boss;
}
