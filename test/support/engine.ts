/**
 * The engine that keeps the queues of the tests of the server, the command line and the orchestrator: files and memory, or a
 * PostgreSQL server, where HOLDFAST_TEST_ENGINE is `postgres` or a test file has loaded `postgres_engine.ts` first. What belongs to
 * files only is skipped there, by the list in `postgres_skips.ts`.
 */
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { openQueue, type TaskQueue } from "../../src/mod.ts";
import type { Database } from "../../src/postgres_queue/rows/database.ts";
import { settleAfter } from "./fake_clock.ts";
import { ON_POSTGRES } from "./on_postgres.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "./postgres_queues.ts";
import { SKIPS } from "./postgres_skips.ts";
import { skipTests } from "./skip_tests.ts";

const ENGINES = ["files", "postgres"] as const;

/** What keeps the queues. */
export const ENGINE: typeof ENGINES[number] = ON_POSTGRES in globalThis ? "postgres" : named();

/** Whether queues have files of their own to look after. */
export const HAS_FILES = ENGINE === "files";

const server = ENGINE === "postgres" ? preparePostgres() : undefined;

/**
 * A fresh queue, which the test closes: in memory, or in a schema of its own. With a clock, that is its time. `settle` waits for what
 * a server was asked.
 */
export async function openTestQueue(
  { clock }: { readonly clock?: Clock } = {},
): Promise<TaskQueue> {
  if (server === undefined) return await openQueue({ memory: true, clock });
  return await openPostgresQueue(server.url, {
    schema: freshSchema(),
    clock: clock ?? systemClock,
    isClockTrusted: clock !== undefined,
    wrap: withSettling,
  });
}

/** Where a queue may be made: a path in this folder, or an address. */
export function freshPlace(folder: string): string {
  if (server === undefined) return join(folder, "queue.db");
  return `${server.url}?schema=${freshSchema()}`;
}

function named(): typeof ENGINES[number] {
  const value = Deno.env.get("HOLDFAST_TEST_ENGINE") || "files";
  const found = ENGINES.find((engine) => engine === value);
  if (found !== undefined) return found;
  throw new RangeError(
    `Cannot use ${JSON.stringify(value)} as HOLDFAST_TEST_ENGINE: allowed are ${
      ENGINES.join(", ")
    }`,
  );
}

/** From here on, tests of this file that have no meaning on PostgreSQL are ignored, and their names say why. */
function preparePostgres(): { readonly url: string } {
  const prepared = postgresForTests();
  skipTests((name) => SKIPS.get(name), (name) => `on PostgreSQL: ${name}`);
  return prepared;
}

/** Nothing has settled while an answer of this database is on its way. */
function withSettling(database: Database): Database {
  let underWay = 0;
  const stop = settleAfter(() => underWay > 0);
  return new Proxy(database, {
    get(target, name): unknown {
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== "function") return own;
      if (name === "close") stop();
      if (!["query", "inOrder", "transaction"].includes(String(name))) return own.bind(target);
      return async (...args: unknown[]) => {
        underWay++;
        try {
          return await own.apply(target, args);
        } finally {
          underWay--;
        }
      };
    },
  });
}
