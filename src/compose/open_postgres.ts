/**
 * Opening a queue on a PostgreSQL database. Loaded only when there is one.
 */
import { checkOneOf } from "../domain/check.ts";
import { systemClock } from "../domain/clock.ts";
import { DURABILITIES } from "../domain/durability.ts";
import { quotePath, StorageError } from "../domain/errors.ts";
import { parsePostgresAddress, type PostgresAddress } from "../platform/postgres_address.ts";
import { PostgresDatabase } from "../platform/postgres_driver.ts";
import type { LogPlace } from "../postgres_queue/log_store.ts";
import { migrate, type MigrationPlan, planMigration } from "../postgres_queue/migrate.ts";
import { PostgresAccess } from "../postgres_queue/postgres_access.ts";
import { PostgresQueue } from "../postgres_queue/postgres_queue.ts";
import { type Database, DatabaseError } from "../postgres_queue/rows/database.ts";
import { quoted } from "../postgres_queue/rows/qualified.ts";
import { storageErrorOf } from "../postgres_queue/storage_errors.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { checkLogsRoom } from "../queue_policy/logs_room.ts";
import { warningOnce } from "./background_warning.ts";
import type { QueueOptions } from "./queue_options.ts";

/** Where a queue on a database is, and how it behaves. */
type PostgresQueueOptions = QueueOptions & { readonly path: string };

/** A setting of each connection to a replica or for work that only reads: the server refuses changes. */
const READ_ONLY = { default_transaction_read_only: "on" };

/** A commit is acknowledged before it is on the server's disk. */
const RELAXED = { synchronous_commit: "off" };

/**
 * Opens the queue at an address, and brings its schema to this version, if it may.
 *
 * @throws TypeError, RangeError for a wrong address or setting. @throws StorageError when the database cannot be reached or used.
 */
export async function openPostgresQueue(options: PostgresQueueOptions): Promise<TaskQueue> {
  const address = parsePostgresAddress(options.path);
  const logsMaxBytes = checkLogsRoom(options.logsMaxBytes);
  const clock = options.clock ?? systemClock;
  const database = new PostgresDatabase({ ...address, settings: settingsOf(options, address) });
  try {
    await prepareSchema(database, address.schema, options);
    const queue = new PostgresQueue(accessTo(database, address, options), {
      payloadMaxBytes: options.payloadMaxBytes,
      retention: options.readOnly ? [] : options.retention,
      health: options.health,
      logsMaxBytes,
      onBackgroundError: options.onBackgroundError ?? warningOnce(clock),
      onClosed: options.onClosed,
    });
    if (!options.readOnly) await queue.begin();
    return queue;
  } catch (error) {
    await database.close();
    throw storageErrorOf(error, placeOf(database, address));
  }
}

function accessTo(
  database: Database,
  { schema }: PostgresAddress,
  { clock = systemClock, random = Math.random, retryPolicy }: QueueOptions,
): PostgresAccess {
  return new PostgresAccess(database, { schema, clock, random, retryPolicy });
}

/** Settings of a session are not passed on by a pooler, so there they are refused, or the queue's own refusals must do. */
function settingsOf(
  { durability, readOnly }: PostgresQueueOptions,
  { isPrepared }: PostgresAddress,
): Record<string, string> {
  const isPooled = isPrepared === false;
  const isRelaxed = durability !== undefined &&
    checkOneOf(durability, DURABILITIES, "durability") === "relaxed";
  if (isPooled && isRelaxed) {
    throw new TypeError(
      "Cannot use durability relaxed with pooled=true: a pooler passes no settings on; alter role … set synchronous_commit = off",
    );
  }
  if (isPooled) return {};
  return { ...(readOnly ? READ_ONLY : {}), ...(isRelaxed ? RELAXED : {}) };
}

async function prepareSchema(
  database: Database,
  schema: string,
  { path, mustExist, readOnly }: PostgresQueueOptions,
): Promise<void> {
  const location = `${database.location} schema ${schema}`;
  const plan = await planMigration(database, { schema, location });
  if (plan.version === 0 && (mustExist || readOnly)) {
    throw new StorageError("open", location, `no queue is there; to make one: ${commandFor(path)}`);
  }
  if (plan.isStandby && !readOnly) {
    throw new StorageError(
      "open",
      location,
      "the server is a read-only replica: give the address of the primary, or both as hosts, of which the one that can be written is taken",
    );
  }
  if (plan.steps.length === 0) return;
  const wanted = `its schema version is ${plan.version}, ${plan.newest} is needed`;
  if (readOnly) throw new StorageError("upgrade", location, `${wanted}: ${commandFor(path)}`);
  await migrateIfAllowed(database, { schema, location, wanted, path });
}

async function migrateIfAllowed(
  database: Database,
  { schema, location, wanted, path }: {
    readonly schema: string;
    readonly location: string;
    readonly wanted: string;
    readonly path: string;
  },
): Promise<void> {
  try {
    await migrate(database, schema);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== "42501") throw error;
    const reason =
      `${wanted}, and this user may not make it (${error.message}); as its owner run: ${
        commandFor(path)
      }`;
    throw new StorageError("upgrade", location, reason, { cause: error });
  }
}

function commandFor(path: string): string {
  return `holdfast --db ${quotePath(path)} migrate`;
}

function placeOf({ location }: Database, { schema }: PostgresAddress): string {
  return `${location} schema ${schema}`;
}

/** What is to be done to a schema, and where it is. */
export interface SchemaMigration extends MigrationPlan {
  /** Host, database and schema, without a secret. */
  readonly location: string;
}

/**
 * What leads from the schema at an address to the one that this version needs; unless `isDryRun`, it is done.
 *
 * @throws TypeError, RangeError for a wrong address. @throws StorageError when it cannot be done; nothing is changed then.
 */
export async function migratePostgres(
  path: string,
  { isDryRun }: { readonly isDryRun: boolean },
): Promise<SchemaMigration> {
  const address = parsePostgresAddress(path);
  const database = new PostgresDatabase({ ...address, connections: 1 });
  const location = placeOf(database, address);
  try {
    const { schema } = address;
    const plan = isDryRun
      ? await planMigration(database, { schema, location })
      : await migrate(database, schema);
    return { version: plan.version, newest: plan.newest, steps: plan.steps, location };
  } catch (error) {
    throw storageErrorOf(error, location);
  } finally {
    await database.close();
  }
}

/** The logs of the queue at an address, over a connection of their own. @throws TypeError, RangeError for a wrong address. */
export function openPostgresLogs(path: string): LogPlace {
  const address = parsePostgresAddress(path);
  return {
    database: new PostgresDatabase({ ...address, connections: 1 }),
    schema: address.schema,
  };
}

/** The same database with another schema, which no queue has. */
export function scratchAddress(path: string): string {
  const schema = `holdfast_check_${crypto.randomUUID().replaceAll("-", "")}`;
  const bare = path.replace(/([?&])schema=[^&]*&?/, "$1").replace(/[?&]$/, "");
  return `${bare}${bare.includes("?") ? "&" : "?"}schema=${schema}`;
}

/** Removes the schema of `scratchAddress` and all that is in it. @throws StorageError */
export async function dropPostgresSchema(scratch: string): Promise<void> {
  const address = parsePostgresAddress(scratch);
  const database = new PostgresDatabase({ ...address, connections: 1 });
  try {
    await database.query(`drop schema if exists ${quoted(address.schema)} cascade`);
  } catch (error) {
    throw storageErrorOf(error, placeOf(database, address));
  } finally {
    await database.close();
  }
}
