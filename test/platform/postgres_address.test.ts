import { assertEquals, assertThrows } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { isDatabaseAddress, shownPath } from "../../src/domain/queue_address.ts";
import { parsePostgresAddress, type PostgresAddress } from "../../src/platform/postgres_address.ts";
import { passwordIn } from "../../src/platform/postgres_password.ts";

const SECRET = "s3cr3t";

function parse(
  address: string,
  variables: Readonly<Record<string, string>> = {},
): PostgresAddress {
  return parsePostgresAddress(address, (name) => variables[name]);
}

Deno.test("an address names hosts, database, user and schema; the environment fills in what is left out", () => {
  const full = parse(
    "postgresql://ann:p%40ss@[::1]:5433,db2/my%20db?schema=jobs&connections=7&pooled=true&connect_timeout=3",
  );
  const places = ({ hosts }: PostgresAddress): unknown[] =>
    hosts.map(({ host, port }) => [host, port]);
  assertEquals(places(full), [["::1", 5433], ["db2", 5432]]);
  assertEquals([full.user, full.hosts[0]!.password, full.database], ["ann", "p@ss", "my db"]);
  assertEquals([full.schema, full.connections, full.isPrepared], ["jobs", 7, false]);
  assertEquals([full.connectTimeoutMs, full.target], [3000, "read-write"]);
  const bare = parse("postgres://", {
    PGHOST: "h",
    PGPORT: "6000",
    PGUSER: "u",
    PGDATABASE: "d",
    PGPASSWORD: SECRET,
  });
  assertEquals(places(bare), [["h", 6000]]);
  assertEquals([bare.user, bare.database, bare.hosts[0]!.password, bare.schema], [
    "u",
    "d",
    SECRET,
    "holdfast",
  ]);
  assertEquals(places(parse("postgres://u@/d?host=/tmp&port=7")), [["/tmp", 7]]);
});

Deno.test("sslmode is what node:tls does", () => {
  const ssl = (mode: string) => parse(`postgres://u@h/d?sslmode=${mode}`).ssl;
  assertEquals([ssl("disable"), ssl("prefer")], [false, "prefer"]);
  assertEquals(ssl("require"), { rejectUnauthorized: false });
  assertEquals(ssl("verify-full"), { rejectUnauthorized: true });
  assertThrows(() => parse("postgres://u@h/d?sslmode=require&sslrootcert=/none"), StorageError);
});

Deno.test("an address that is wrong names the part, and never the password", () => {
  const wrong: readonly (readonly [string, string])[] = [
    [`postgres://u:${SECRET}@h:99999/d`, "port"],
    [`postgres://u:${SECRET}@h:x/d`, "port"],
    [`postgres://u:${SECRET}@h x/d`, "host"],
    [`postgres://u:${SECRET}@h/d?nope=1`, "nope"],
    [`postgres://u:${SECRET}@h/d?sslmode=on`, "sslmode"],
    [`postgres://u:${SECRET}@h/d?connections=0`, "connections"],
    [`postgres://u:${SECRET}@h/d?connections=many`, "connections"],
    [`postgres://u:${SECRET}@h/d?target_session_attrs=standby`, "target_session_attrs"],
    [`postgres://u:${SECRET}@h/d?schema=pg_catalog`, "schema"],
    [`postgres://u:${SECRET}@h/d?schema=${"x".repeat(55)}`, "schema"],
    [`postgres://u:${SECRET}@h/d?schema=a&schema=b`, "schema"],
    [`postgres://u:${SECRET}%zz@h/d`, "password"],
    [`postgres://u:${SECRET}/${SECRET}@h/d`, "percent-encoded"],
    [`postgres://u:${SECRET}#${SECRET}@h/d`, "percent-encoded"],
    [`postgres://u:${SECRET}?${SECRET}@h/d`, "percent-encoded"],
    [`postgres://u@h/d?password=${SECRET}`, "PGPASSWORD"],
    [`postgres://u:1:${SECRET}`, "host"],
  ];
  for (const [address, part] of wrong) {
    const error = assertThrows(() => parse(address), Error, part);
    assertEquals(error.message.includes(SECRET), false, error.message);
  }
});

Deno.test("an address is shown without its password", () => {
  const shown = [
    [`postgres://u:${SECRET}@h/d?schema=s`, "postgres://u@h/d?schema=s"],
    [`POSTGRES://u:${SECRET}@@@h/d`, "POSTGRES://u@h/d"],
    [`postgres://u:a/${SECRET}@h/d`, "postgres://u@h/d"],
    [`postgres://u@h/d?password=${SECRET}`, "postgres://u@h/d?password=***"],
    ["postgres://u@h/d", "postgres://u@h/d"],
    ["data/a:b@c.db", "data/a:b@c.db"],
  ];
  for (const [address, expected] of shown) assertEquals(shownPath(address!), expected);
  const error = new StorageError("open", `postgres://u:${SECRET}@h/d`, "why");
  assertEquals([error.path, error.message.includes(SECRET)], ["postgres://u@h/d", false]);
  assertEquals(["postgres.db", "C:\\postgres", "postgresql://"].map(isDatabaseAddress), [
    false,
    false,
    true,
  ]);
});

Deno.test("the password file is read as libpq does", () => {
  const text = [
    "# h:5432:d:u:comment",
    "other:5432:d:u:no",
    "h:5432:d:u\\:x:escaped\\:\\\\user",
    "*:*:d:star:first",
    "h:5432:*:u:any database\r",
    "h:5432:d:u:second",
  ].join("\n");
  const find = (user: string, database = "d") =>
    passwordIn(text, { host: "h", port: 5432, database, user });
  assertEquals(find("u"), "any database");
  assertEquals(find("u:x"), "escaped:\\user");
  assertEquals([find("star"), find("star", "e"), find("nobody")], ["first", null, null]);
});

Deno.test({
  name: "each of several hosts has the password that the file names for it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, `h1:5432:d:u:one\nh2:5433:d:u:two\n`, { mode: 0o600 });
      await Deno.chmod(file, 0o600);
      const { hosts } = parse("postgres://u@h1,h2:5433,h3/d", { PGPASSFILE: file });
      assertEquals(hosts.map(({ password }) => password), ["one", "two", undefined]);
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test({
  name: "a password file that others may read is not used, and a refusal would say so",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, `h:5432:d:u:${SECRET}\n`);
      await Deno.chmod(file, 0o600);
      assertEquals(parse("postgres://u@h/d", { PGPASSFILE: file }).hosts[0]!.password, SECRET);
      await Deno.chmod(file, 0o644);
      const { hosts: [open] } = parse("postgres://u@h/d", { PGPASSFILE: file });
      assertEquals(open!.password, undefined);
      assertEquals(/chmod 600/.test(open!.passwordSource!), true);
    } finally {
      await Deno.remove(file);
    }
  },
});
