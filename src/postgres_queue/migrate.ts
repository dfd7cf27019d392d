/**
 * Migrations: what leads from the schema that is there to the one that this version needs.
 *
 * Each is one transaction, so a schema is of a version or of another one. What cannot have come from here is refused, and
 * left as it is: a newer schema, another program's tables, tables that are missing.
 */
import { StorageError } from "../domain/errors.ts";
import { type Database, DatabaseError, type Row, type Statements } from "./rows/database.ts";
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

/** Where the tables are, or are to be. */
interface Place {
  readonly schema: string;
  readonly location: string;
  /** The versions of the schema, from 1; default those that this version of Holdfast has. */
  readonly migrations?: readonly string[];
}

const MIGRATE_SQL = {
  /** `$1` is the schema. */
  look: `select current_setting('server_version_num')::int as server,
      pg_is_in_recovery() as is_standby,
      (select pg_encoding_to_char(encoding) from pg_catalog.pg_database
        where datname = current_database()) as encoding,
      exists (select from pg_catalog.pg_namespace where nspname = $1) as has_schema,
      (select coalesce(json_agg(c.relname order by c.relname), '[]')::text
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f')) as tables`,
  version: "select value::int as version from @holdfast where name = 'version'",
  table: "create table @holdfast (name text primary key, value text not null)",
} as const;

/** The oldest server that the statements were tried on, as `server_version_num`. */
const SERVER_MIN = 150_000;

/**
 * What leads from the schema that is there to the newest.
 *
 * @throws StorageError when it is newer than this version knows, half there, or another program's, and for a server that is too
 * old or whose texts are not UTF-8.
 */
export async function planMigration(
  statements: Statements,
  place: Place,
): Promise<MigrationPlan & { readonly isStandby: boolean }> {
  const [found] = await statements.query(MIGRATE_SQL.look, [place.schema]);
  checkServer(found!, place);
  const tables = JSON.parse(String(found!.tables)) as string[];
  const version = await versionOf(statements, tables, place);
  const migrations = place.migrations ?? MIGRATIONS;
  const newest = migrations.length;
  if (version > newest) {
    throw refusal(
      place,
      `its schema version is ${version}, this version of Holdfast knows ${newest}: use a newer one`,
    );
  }
  const hasSchema = found!.has_schema === true;
  const steps = stepsFrom(version, { schema: place.schema, hasSchema, migrations });
  return { version, newest, steps, isStandby: found!.is_standby === true };
}

function checkServer({ server, encoding }: Row, place: Place): void {
  if (Number(server) < SERVER_MIN) {
    throw refusal(
      place,
      `the server is PostgreSQL ${Math.floor(Number(server) / 10_000)}, 15 or newer is needed`,
    );
  }
  if (encoding !== "UTF8") {
    throw refusal(
      place,
      `the database's encoding is ${encoding}, UTF8 is needed: create database … encoding 'UTF8' template template0`,
    );
  }
}

async function versionOf(
  statements: Statements,
  tables: readonly string[],
  place: Place,
): Promise<number> {
  if (tables.length === 0) return 0;
  if (!tables.includes("holdfast")) throw strangeTables(tables, place);
  const version = await notedVersion(statements, tables, place);
  const migrations = place.migrations ?? MIGRATIONS;
  if (version > migrations.length) return version; // which tables another version has is not known here
  const made = migrations.slice(0, version);
  const missing = tablesOf(made).filter((name) => !tables.includes(name));
  if (Number.isSafeInteger(version) && version > 0 && missing.length === 0) return version;
  const what = version > 0
    ? `of its version ${version} the tables ${missing.join(", ")} are missing`
    : "its table holdfast names no version";
  throw refusal(place, `${what}: restore it from a backup, or name another schema by ?schema=`);
}

async function notedVersion(
  statements: Statements,
  tables: readonly string[],
  place: Place,
): Promise<number> {
  try {
    const [row] = await statements.query(new Qualifier(place.schema).text(MIGRATE_SQL.version));
    return Number(row?.version ?? 0);
  } catch (error) {
    const isStrange = error instanceof DatabaseError && ["42703", "22P02"].includes(error.code);
    throw isStrange ? strangeTables(tables, place) : error;
  }
}

function strangeTables(tables: readonly string[], place: Place): StorageError {
  const named = tables.slice(0, 3).join(", ") + (tables.length > 3 ? ", …" : "");
  return refusal(
    place,
    `its schema holds tables of another program (${named}): name another schema by ?schema=`,
  );
}

function refusal({ location }: Place, reason: string): StorageError {
  return new StorageError("open", location, reason);
}

/** The tables that these migrations make. */
function tablesOf(migrations: readonly string[]): string[] {
  const made = migrations.flatMap((sql) => [...sql.matchAll(/create table @(\w+)/g)]);
  return made.map(([, name]) => name!);
}

function stepsFrom(
  version: number,
  { schema, hasSchema, migrations }: {
    readonly schema: string;
    readonly hasSchema: boolean;
    readonly migrations: readonly string[];
  },
): string[] {
  const qualifier = new Qualifier(schema);
  return migrations.slice(version).map((sql, i) => {
    const number = version + i + 1;
    if (number > 1) {
      const noted = `update @holdfast set value = '${number}' where name = 'version'`;
      return qualifier.text(`${sql.trim()};\n${noted}`);
    }
    const before = hasSchema ? "" : `create schema ${quoted(schema)};\n`;
    const noted = "insert into @holdfast (name, value) values ('version', '1')";
    return before + qualifier.text(`${MIGRATE_SQL.table};\n${sql.trim()};\n${noted}`);
  });
}

/**
 * Brings the schema to the newest of `migrations`: all of it, or nothing. Processes that do so at the same time wait for each
 * other.
 */
export async function migrate(
  database: Database,
  schema: string,
  migrations = MIGRATIONS,
): Promise<MigrationPlan> {
  return await database.transaction(async (tx) => {
    // the lock goes with the transaction, so a pooler may be between
    await tx.query("select pg_advisory_xact_lock(hashtext('holdfast ' || $1))", [schema]);
    const location = `${database.location} schema ${schema}`;
    const plan = await planMigration(tx, { schema, location, migrations });
    for (const step of plan.steps) {
      for (const statement of step.split(/;\s*\n/)) {
        if (statement.trim() !== "") await tx.query(statement);
      }
    }
    return plan;
  });
}
