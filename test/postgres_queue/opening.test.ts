/**
 * Opening a queue by its address on a real server: what it makes, what it refuses, and that no password is ever shown.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import pg from "pg";
import {
  getOrCreateQueue,
  maintenanceOf,
  migrateQueue,
  openQueue,
  StorageError,
  validateQueueIntegration,
} from "../../src/mod.ts";
import { type PostgresServer, removePostgres, startPostgres } from "../support/postgres_server.ts";
import { whyNotStarted } from "../support/postgres_server.ts";
import { freshSchema } from "../support/postgres_queues.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { PostgresDatabase } from "../../src/platform/postgres_driver.ts";
import { migrate } from "../../src/postgres_queue/migrate.ts";
import { DatabaseError } from "../../src/postgres_queue/rows/database.ts";
import { MIGRATIONS } from "../../src/postgres_queue/rows/schema.ts";

const ignore = whyNotStarted() !== undefined;
const SECRET = "s3cr3t";

/** Its own server: one user needs a password, and connections are few. */
let server: PostgresServer;
let hbaFile: string;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  const folder = await Deno.makeTempDir({ prefix: "holdfast hba ".replaceAll(" ", "-") });
  hbaFile = join(folder, "pg_hba.conf");
  const rules = "host all bob 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
  await Deno.writeTextFile(hbaFile, rules);
  if (Deno.build.os !== "windows") {
    await Deno.chmod(folder, 0o755);
    await Deno.chmod(hbaFile, 0o644);
  }
  server = await startPostgres([`hba_file=${hbaFile}`, "max_connections=30"]);
  await asOwner(
    `create role bob login password '${SECRET}'; create role app login; create role few login connection limit 2;
      create role slow login;
      create role reader login; alter role reader set default_transaction_read_only = on;
      grant create on database postgres to bob, few, slow, reader`,
  );
  await asOwner(
    "create database latin encoding 'LATIN1' locale 'C' template template0",
  );
});

Deno.test.afterAll(async () => {
  if (ignore) return;
  await removePostgres(server);
  await Deno.remove(hbaFile);
});

/** Runs SQL as the superuser; the rows of the last statement. */
async function asOwner(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    const results = await client.query(sql);
    return [results].flat().at(-1)!.rows;
  } finally {
    await client.end();
  }
}

/** An address with another user, database or schema. */
function address(
  { user = "postgres", database = "postgres", schema, more = "" }: {
    readonly user?: string;
    readonly database?: string;
    readonly schema: string;
    readonly more?: string;
  },
): string {
  return server.url.replace("//postgres@", `//${user}@`).replace(/\/postgres$/, `/${database}`) +
    `?schema=${schema}${more}`;
}

/** Refused with a StorageError that has these parts and no password, and nothing was made. */
async function refused(where: string, ...parts: readonly string[]): Promise<void> {
  const error = await assertRejects(() => openQueue(where), StorageError);
  for (const part of parts) assert(error.message.includes(part), `${error.message} lacks ${part}`);
  assert(!Deno.inspect(error, { depth: 9 }).includes(SECRET), "the password is shown");
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

test("openQueue() makes the schema, a second time finds it, and getOrCreateQueue() gives one object", async () => {
  const where = address({ schema: freshSchema() });
  const queue = await openQueue(where);
  await queue.enqueue({ type: "mail" });
  assertEquals(maintenanceOf(queue), null);
  await queue.close();
  const [first, second] = await Promise.all([getOrCreateQueue(where), getOrCreateQueue(where)]);
  assert(first === second);
  assertEquals(await first.count(), 1);
  await first.close();
  assertEquals(await migrateQueue(where).then(({ version, sql }) => [version, sql]), [
    MIGRATIONS.length,
    [],
  ]);
});

test("openQueue() with mustExist or readOnly makes nothing, and says by which command", async () => {
  const schema = freshSchema();
  for (const option of [{ mustExist: true }, { readOnly: true }]) {
    const path = address({ user: `bob:${SECRET}`, schema });
    const error = await assertRejects(() => openQueue({ path, ...option }), StorageError);
    assert(/no queue is there.*holdfast --db "postgres:\/\/bob@.*migrate/.test(error.message));
    assert(!error.message.includes(SECRET));
  }
  assertEquals(await asOwner(`select 1 from pg_namespace where nspname = '${schema}'`), []);
});

test("a queue that is opened to read changes nothing", async () => {
  const path = address({ schema: freshSchema() });
  const writer = await openQueue(path);
  await writer.enqueue({ type: "mail" });
  const reader = await openQueue({ path, readOnly: true });
  assertEquals((await reader.stats()).total, 1);
  await assertRejects(() => reader.enqueue({ type: "mail" }), StorageError, "read-only");
  assertEquals(await writer.count(), 1);
  await reader.close();
  await writer.close();
});

test("migrateQueue() with dryRun prints the SQL that makes the schema, and makes nothing", async () => {
  const schema = freshSchema();
  const { sql, version } = await migrateQueue(address({ schema }), { dryRun: true });
  assertEquals(version, 0);
  assertEquals(await asOwner(`select 1 from pg_namespace where nspname = '${schema}'`), []);
  await asOwner(sql.join(""));
  const queue = await openQueue({ path: address({ schema }), mustExist: true });
  assertEquals(await queue.count(), 0);
  await queue.close();
});

/** What a later version of Holdfast might add. */
const VERSION_2 = `
  create table @note (task_id bigint primary key, text text not null);
  insert into @note (task_id, text) select id, 'of version 1' from @task
`;

/** Migrates as a version of Holdfast whose schema has these versions does. */
async function migrateTo(migrations: readonly string[], schema: string): Promise<number> {
  const database = new PostgresDatabase(parsePostgresAddress(server.url));
  try {
    return (await migrate(database, schema, migrations)).version;
  } finally {
    await database.close();
  }
}

test("a queue of an older version keeps its tasks, and is then refused by that version", async () => {
  const schema = freshSchema();
  const queue = await openQueue(address({ schema }));
  const { task } = await queue.enqueue({ type: "mail" });
  const newer = [...MIGRATIONS, VERSION_2];
  assertEquals(await migrateTo(newer, schema), MIGRATIONS.length);
  const notes = await asOwner(`select task_id::int, text from ${schema}.note`);
  assertEquals(notes, [{ task_id: task.id, text: "of version 1" }]);
  assertEquals((await queue.get(task.id))?.status, "queued");
  await queue.close();
  await refused(address({ schema }), `version is ${newer.length}`, "use a newer one");
  assertEquals(await migrateTo(newer, schema), newer.length);
  await asOwner(`drop table ${schema}.note`);
  await assertRejects(() => migrateTo(newer, schema), StorageError, "note are missing");
});

test("a migration that fails half-way leaves the queue as it was", async () => {
  const schema = freshSchema();
  const queue = await openQueue(address({ schema }));
  await queue.enqueue({ type: "mail" });
  const broken = [...MIGRATIONS, `${VERSION_2};\n  insert into @note values (1, 'twice')`];
  const error = await assertRejects(() => migrateTo(broken, schema), DatabaseError);
  assertEquals(error.code, "23505");
  assertEquals(await asOwner(`select to_regclass('${schema}.note') as note`), [{ note: null }]);
  assertEquals((await migrateQueue(address({ schema }))).version, MIGRATIONS.length);
  assertEquals(await queue.count(), 1);
  await queue.close();
});

test("a role without the right to make tables works where its owner has made them", async () => {
  const schema = freshSchema();
  const where = address({ user: "app", schema });
  await refused(where, "this user may not make it", `migrate`);
  await migrateQueue(address({ schema }));
  await refused(where, "permission denied", "grants");
  await asOwner(
    `grant usage on schema ${schema} to app; grant select, insert, update, delete on all tables in schema ${schema} to app;
      grant usage, select, update on all sequences in schema ${schema} to app`,
  );
  const queue = await openQueue(where);
  const { task } = await queue.enqueue({ type: "mail" });
  await queue.enqueue({ type: "mail", dependsOn: [task.id] });
  const [claimed] = await queue.claim({ workerId: "w", types: ["mail"] });
  await queue.complete(claimed!);
  assertEquals((await queue.get(task.id))?.status, "completed");
  await queue.close();
});

test("a wrong password is refused, and the message says where it came from", async () => {
  const schema = freshSchema();
  await refused(address({ user: "bob:wrong", schema }), "bob", "password of the address");
  const queue = await openQueue(address({ user: `bob:${SECRET}`, schema }));
  await queue.close();
});

test("a host that is not there, and a database that is not there, are named", async () => {
  const { state } = await Deno.permissions.query({ name: "net", host: "nohost.invalid" });
  // `deno task test` may ask for hosts of this machine only
  const reason = state === "granted" ? "no such host" : "start it with --allow-net";
  await refused("postgres://u:s3cr3t@nohost.invalid/d", "nohost.invalid", reason);
  await refused("postgres://u:s3cr3t@127.0.0.1:1/d", "127.0.0.1:1", "no server listens there");
  await refused(address({ database: "nodb", schema: "s" }), '"nodb"', "make the database");
});

test("another program's tables, a newer schema and one that is half there are refused as they are", async () => {
  const [foreign, taken, newer, half, blank] = Array.from({ length: 5 }, freshSchema);
  await asOwner(`create schema ${foreign}; create table ${foreign}.orders (id int)`);
  await refused(address({ schema: foreign! }), "another program (orders)", "?schema=");
  await asOwner(`create schema ${taken}; create table ${taken}.holdfast (id int)`);
  await refused(address({ schema: taken! }), "another program (holdfast)");
  for (const schema of [newer!, half!, blank!]) await migrateQueue(address({ schema }));
  await asOwner(`update ${newer}.holdfast set value = '99'`);
  await refused(address({ schema: newer! }), "version is 99", "use a newer one");
  await asOwner(`drop table ${half}.live, ${half}.unsettled`);
  await refused(address({ schema: half! }), "live, unsettled are missing", "backup");
  await asOwner(`delete from ${blank}.holdfast`);
  await refused(address({ schema: blank! }), "names no version");
  assertEquals(
    await asOwner(`select relname from pg_class where relnamespace = '${foreign}'::regnamespace`),
    [{ relname: "orders" }],
  );
});

test("a database whose encoding is not UTF8 is refused", async () => {
  await refused(address({ database: "latin", schema: "s" }), "LATIN1", "UTF8 is needed");
});

test("too many connections say the way out", async () => {
  const clients = [1, 2].map(() => {
    return new pg.Client({ connectionString: address({ user: "few", schema: "s" }).split("?")[0] });
  });
  await Promise.all(clients.map((client) => client.connect()));
  const where = address({ user: "few", schema: freshSchema() });
  await refused(where, "too many connections", "max_connections", "connections=");
  await Promise.all(clients.map((client) => client.end()));
});

test("a user that may only read, and a statement that takes too long, say the way out", async () => {
  await refused(address({ user: "reader", schema: freshSchema() }), "read-only", "primary");
  const schema = freshSchema();
  const fast = await openQueue(address({ schema }));
  const locked = new pg.Client({ connectionString: server.url });
  await locked.connect();
  await asOwner(
    `grant usage on schema ${schema} to slow; grant all on all tables in schema ${schema} to slow;
    grant all on all sequences in schema ${schema} to slow`,
  );
  const slow = await openQueue({ path: address({ user: "slow", schema }), readOnly: true });
  await locked.query(`begin; lock table ${schema}.task`);
  // only now, since opening must not depend on how fast the machine is; and for new connections only
  await asOwner(
    `alter role slow set statement_timeout = '20ms';
    select pg_terminate_backend(pid) from pg_stat_activity where usename = 'slow'`,
  );
  await assertRejects(() => slow.get(1), StorageError, "statement_timeout");
  await locked.query("rollback");
  await locked.end();
  await slow.close();
  await fast.close();
});

test("validateQueueIntegration() tries a queue out in a schema of its own, and leaves nothing", async () => {
  const schema = freshSchema();
  const where = address({ user: `bob:${SECRET}`, schema });
  const queue = await openQueue(where);
  await queue.enqueue({ type: "mail" });
  await queue.close();
  const before = await asOwner("select nspname from pg_namespace order by 1");
  const report = await validateQueueIntegration(where);
  assertEquals(report.errors, []);
  assertEquals(report.checks.map(({ name }) => name), ["open", "run a task", "read it again"]);
  assertEquals(await asOwner("select nspname from pg_namespace order by 1"), before);
  const { errors } = await validateQueueIntegration(address({ user: "bob:wrong", schema }));
  assertEquals(errors.length, 1);
});

test("a read-only replica is refused, and can be read", async () => {
  const schema = freshSchema();
  const queue = await openQueue(address({ schema }));
  await queue.enqueue({ type: "mail" });
  await queue.close();
  await server.stop();
  await server.makeStandby();
  await server.start();
  await refused(address({ schema }), "read-only replica", "primary");
  const reader = await openQueue({ path: address({ schema }), readOnly: true });
  assertEquals([await reader.count(), (await reader.list()).length], [1, 1]);
  const { id } = (await reader.list())[0]!;
  assertEquals((await reader.explain(id))?.taskId, id);
  assertEquals((await reader.transitions(id)).length, 1);
  assertEquals((await reader.stats()).total, 1);
  assertEquals(await reader.health().then(({ verdict }) => typeof verdict), "string");
  await reader.close();
});
