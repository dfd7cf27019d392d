/**
 * Queues on a real PostgreSQL server for tests: each in a schema of its own, with a clock of the test's.
 */
import type { RetryPolicy } from "../../src/domain/backoff.ts";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { PostgresDatabase } from "../../src/platform/postgres_driver.ts";
import type { Database } from "../../src/postgres_queue/rows/database.ts";
import { migrate } from "../../src/postgres_queue/migrate.ts";
import { PostgresAccess } from "../../src/postgres_queue/postgres_access.ts";
import type { PostgresOperatorOptions } from "../../src/postgres_queue/postgres_operator.ts";
import { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import type { UseQueue } from "../contract/suite.ts";
import { FakeClock } from "./fake_clock.ts";
import {
  type PostgresServer,
  removePostgres,
  startPostgres,
  whyNoPostgres,
} from "./postgres_server.ts";
import { skipTests } from "./skip_tests.ts";
import { seededRandom } from "./queues.ts";

/** Starts one server for the tests of a file; without one they are left out, and their names say why. */
export function postgresForTests(settings: readonly string[] = []): { readonly url: string } {
  const reason = whyNoPostgres();
  const named = Deno.env.get("HOLDFAST_TEST_POSTGRES");
  if (reason !== undefined) skipTests(() => reason);
  let server: PostgresServer | undefined;
  Deno.test.beforeAll(async () => {
    if (reason === undefined && !named) server = await startPostgres(settings);
  });
  Deno.test.afterAll(async () => {
    if (server !== undefined) await removePostgres(server);
    else if (reason === undefined && named) await dropSchemas(named);
  });
  return {
    get url(): string {
      return named || server!.url;
    },
  };
}

/** The schemas that the tests of this file have made, or might have. */
const schemas: string[] = [];

/** A name that no other test has. */
export function freshSchema(): string {
  const name = `test_${Deno.pid}_${Date.now()}_${schemas.length + 1}`;
  schemas.push(name);
  return name;
}

/** On a server that goes on nothing is left behind. */
async function dropSchemas(url: string): Promise<void> {
  const database = new PostgresDatabase({ ...parsePostgresAddress(url), connections: 1 });
  await database.query("set client_min_messages = warning");
  for (const schema of schemas.splice(0)) {
    await database.query(`drop schema if exists "${schema}" cascade`);
  }
  await database.close();
}

/** Opens a queue in a schema of the server, on the server's time; the schema is made if it is not there. */
export async function openPostgresQueue(
  url: string,
  {
    schema,
    onBackgroundError = () => {},
    connections,
    clock = systemClock,
    isClockTrusted,
    wrap = (database) => database,
    silenceMaxMs,
  }: {
    readonly schema: string;
    /** Whether `clock` is the time of the queue, too. */
    readonly isClockTrusted?: boolean;
    /** After how long without an answer a connection is asked about. */
    readonly silenceMaxMs?: number;
    /** Stands between the queue and its database. */
    readonly wrap?: (database: Database) => Database;
    /** This process's clock, which the server's need not agree with. */
    readonly clock?: Clock;
    readonly onBackgroundError?: (error: Error) => void;
    readonly connections?: number;
  },
): Promise<PostgresQueue> {
  const database = new PostgresDatabase({
    ...parsePostgresAddress(url),
    connections,
    silenceMaxMs,
  });
  await migrate(database, schema);
  const access = new PostgresAccess(wrap(database), {
    schema,
    clock,
    isClockTrusted,
    random: Math.random,
  });
  const queue = new PostgresQueue(access, { onBackgroundError });
  await queue.begin();
  return queue;
}

/** A queue of a test, and what it stands on. */
export interface PostgresParts {
  readonly queue: PostgresQueue;
  readonly clock: FakeClock;
  readonly access: PostgresAccess;
  /** A pool of connections beside the queue's. */
  readonly database: Database;
}

/** What is special about the queue of a test. */
export interface PostgresTestOptions extends Partial<PostgresOperatorOptions> {
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** Stands between the queue and its database. */
  readonly wrap?: (database: Database) => Database;
}

/** Runs `test` with a queue in a fresh schema of the server, on a clock of the test's. */
export async function usePostgresQueue(
  url: string,
  { retryPolicy, wrap = (database) => database, ...options }: PostgresTestOptions,
  test: (parts: PostgresParts) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const schema = freshSchema();
  const database = new PostgresDatabase(parsePostgresAddress(url));
  await migrate(database, schema);
  const access = new PostgresAccess(wrap(new PostgresDatabase(parsePostgresAddress(url))), {
    schema,
    clock,
    isClockTrusted: true,
    random: seededRandom(1),
    retryPolicy,
  });
  const background: Error[] = [];
  const queue = new PostgresQueue(access, {
    ...options,
    onBackgroundError: (error) => background.push(error),
  });
  await queue.begin();
  try {
    await test({ queue, clock, access, database });
  } finally {
    await queue.close();
    await database.close();
  }
  if (background.length > 0) throw background[0];
}

/** Runs each test with a fresh schema of the server. */
export function withPostgresQueue(server: { readonly url: string }): UseQueue {
  return (options, test) =>
    usePostgresQueue(server.url, options, ({ queue, clock }) => test(queue, clock));
}
