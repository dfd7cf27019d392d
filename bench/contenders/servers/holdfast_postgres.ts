/**
 * Holdfast on PostgreSQL, as an application uses it.
 *
 * Its work: each task keeps its finished row and three transitions (enqueued, leased, completed); a completion is refused
 * unless it has the current lease's token; calls that arrive while others are on their way share a statement.
 */
import { HandlerRegistry, openQueue, Worker } from "../../../src/mod.ts";
import { payloadOf, RESULT, TYPE } from "../contender.ts";
import { enqueueBatch } from "../holdfast.ts";
import { rowsOf } from "./postgres_rows.ts";
import type { ServerContender, ServerEntrant } from "./server_contender.ts";

/** Its name. */
export const HOLDFAST_POSTGRES = "Holdfast on PostgreSQL";

/** Holdfast on PostgreSQL. */
export const holdfastPostgres: ServerEntrant = {
  name: HOLDFAST_POSTGRES,
  survives: "power cut",
  server: "postgres",
  enter: async (url, space): Promise<ServerContender> => {
    const queue = await openQueue(`${url}?schema=${space}`);
    const rows = rowsOf(url, 1);
    return {
      name: HOLDFAST_POSTGRES,
      survives: "power cut",
      syncs: () => Promise.resolve(null),
      enqueue: async (n) => {
        await queue.enqueue({ type: TYPE, payload: payloadOf(n) });
      },
      enqueueBatch: (count) => enqueueBatch(queue, count),
      claimAndComplete: async (limit) => {
        const tasks = await queue.claim({ workerId: "bench", types: [TYPE], limit });
        await Promise.all(tasks.map((task) => queue.complete(task, RESULT)));
        return tasks.length;
      },
      work: (concurrency, handler) => {
        const handlers = new HandlerRegistry();
        handlers.register(TYPE, handler);
        const worker = new Worker({ queue, handlers, concurrency });
        worker.start();
        return Promise.resolve(() => worker.stop());
      },
      hasOpen: async () => (await rows.query(`select from ${space}.live limit 1`)).length > 0,
      close: async () => {
        await queue.close();
        await rows.close();
      },
    };
  },
};
