/**
 * Migrating a queue by hand: what `openQueue` does by itself where its user may.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { isDatabaseAddress, shownPath } from "../domain/queue_address.ts";

/** What a migration did, or would do. */
export interface MigrationReport {
  /** The path, or the database's host, name and schema. */
  readonly location: string;
  /** The schema's version before; 0 when there was none. `null` for a queue in files, which `openQueue` upgrades. */
  readonly version: number | null;
  /** The version that this version of Holdfast needs; `null` for a queue in files. */
  readonly newest: number | null;
  /** The SQL, in order; none when there is nothing to do. */
  readonly sql: readonly string[];
}

/** How to migrate. */
export interface MigrateOptions {
  /** Only says what would be done; default false. */
  readonly dryRun?: boolean;
}

const MIGRATE_OPTIONS = optionNames<MigrateOptions>({ dryRun: true });

/**
 * Brings the schema of the queue at an address to this version, all of it or nothing, and says by which SQL.
 *
 * @throws TypeError, RangeError for a wrong address.
 * @throws StorageError when the database cannot be reached, the user may not make tables, or the schema is newer, half there, or
 * another program's.
 */
export async function migrateQueue(
  path: string,
  options: MigrateOptions = {},
): Promise<MigrationReport> {
  checkOptions(options, MIGRATE_OPTIONS, "migrateQueue");
  const { dryRun = false } = options;
  if (!isDatabaseAddress(path)) {
    return { location: shownPath(path), version: null, newest: null, sql: [] };
  }
  const { migratePostgres } = await import("./open_postgres.ts");
  const { location, version, newest, steps } = await migratePostgres(path, { isDryRun: dryRun });
  return { location, version, newest, sql: steps.map((step) => `${step};\n`) };
}
