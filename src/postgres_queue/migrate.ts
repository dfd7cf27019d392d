/**
 * Migrations: what leads from the schema that is there to the one that this version needs.
 */
import { StorageError } from "../domain/errors.ts";
import type { Database, Statements } from "./rows/database.ts";
import { Qualifier, quoted } from "./rows/qualified.ts";
import { MIGRATIONS } from "./rows/schema.ts";

/** What is to be done. */
export interface MigrationPlan {
  /** The version that is there; 0 for none. */
  readonly version: number;
  /** The version that is needed. */
  readonly newest: number;
  /** The SQL that leads there, one text for each version; the first makes the schema, too. */
  readonly steps: readonly string[];
}

const MIGRATE_SQL = {
  /** `$1` is the schema. */
  hasTable: `select count(*)::int as tables from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = 'holdfast' and c.relkind = 'r'`,
  version: "select value::int as version from @holdfast where name = 'version'",
  table: "create table @holdfast (name text primary key, value text not null)",
} as const;

/** What leads from the schema that is there to the newest. @throws StorageError when it is newer than this version knows. */
export async function planMigration(
  statements: Statements,
  { schema, location }: { readonly schema: string; readonly location: string },
): Promise<MigrationPlan> {
  const version = await versionOf(statements, schema);
  const newest = MIGRATIONS.length;
  if (version > newest) {
    throw new StorageError(
      "open",
      location,
      `its schema version is ${version}, this version of Holdfast knows ${newest}: use a newer one`,
    );
  }
  const qualifier = new Qualifier(schema);
  const steps = MIGRATIONS.slice(version).map((sql, i) => {
    const number = version + i + 1;
    const before = number === 1
      ? `create schema if not exists ${quoted(schema)};\n${qualifier.text(MIGRATE_SQL.table)};\n`
      : "";
    const noted = number === 1
      ? "insert into @holdfast (name, value) values ('version', '1')"
      : `update @holdfast set value = '${number}' where name = 'version'`;
    return before + qualifier.text(`${sql.trim()};\n${noted}`);
  });
  return { version, newest, steps };
}

async function versionOf(statements: Statements, schema: string): Promise<number> {
  const [found] = await statements.query(MIGRATE_SQL.hasTable, [schema]);
  if (found!.tables === 0) return 0;
  const [row] = await statements.query(new Qualifier(schema).text(MIGRATE_SQL.version));
  return Number(row?.version ?? 0);
}

/** Brings the schema to the newest version: all of it, or nothing. Processes that do so at the same time wait for each other. */
export async function migrate(database: Database, schema: string): Promise<MigrationPlan> {
  return await database.transaction(async (tx) => {
    // the lock goes with the transaction, so a pooler may be between
    await tx.query("select pg_advisory_xact_lock(hashtext('holdfast ' || $1))", [schema]);
    const plan = await planMigration(tx, { schema, location: database.location });
    for (const step of plan.steps) {
      for (const statement of step.split(/;\s*\n/)) {
        if (statement.trim() !== "") await tx.query(statement);
      }
    }
    return plan;
  });
}
