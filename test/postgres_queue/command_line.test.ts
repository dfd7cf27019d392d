/**
 * The command line by the address of a database: it works as on files, says what to do where there are none, and shows no password.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HANDLERS, holdfast, type Outcome } from "../cli/cli_harness.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();
const SECRET = "s3cr3t";

/** Runs a command with an address that has a password; nothing that it writes has it. */
async function run(address: string, ...args: readonly string[]): Promise<Outcome> {
  const outcome = await holdfast(args, { environment: { QUEUE_DB_PATH: address } });
  assert(!(outcome.out + outcome.err).includes(SECRET), outcome.out + outcome.err);
  return outcome;
}

function freshAddress(): string {
  return `${server.url.replace("//postgres@", `//postgres:${SECRET}@`)}?schema=${freshSchema()}`;
}

function test(name: string, fn: (address: string) => Promise<void>): void {
  Deno.test({ name, fn: () => fn(freshAddress()) });
}

test("commands work by an address, from migrate to logs", async (address) => {
  assertEquals((await run(address, "list")).code, 4);
  assertStringIncludes((await run(address, "migrate", "--dry-run")).out, 'create schema "test_');
  const migrated = JSON.parse((await run(address, "migrate", "--json")).out);
  assertEquals([migrated.version, migrated.newest, migrated.done], [0, migrated.newest, true]);
  assertStringIncludes((await run(address, "migrate")).out, "already");
  assertEquals((await run(address, "enqueue", "echo")).code, 0);
  const worked = await run(address, "worker", "--handlers", HANDLERS, "--until-empty");
  assertEquals(worked.code, 0, worked.err);
  for (const command of [["show", "1"], ["explain", "1"], ["transitions", "1"], ["logs", "1"]]) {
    for (const more of [[], ["--json"]]) {
      assertEquals((await run(address, ...command, ...more)).code, 0, command.join(" "));
    }
  }
  for (const command of ["list", "stats", "workers", "health", "backend"]) {
    assertEquals((await run(address, command, "--json")).code, 0, command);
  }
  assertEquals((await run(address, "check")).out.trim(), "the queue is whole and works");
});

test("commands that work on files say what to do on a database instead", async (address) => {
  await run(address, "migrate");
  const instead: readonly (readonly [readonly string[], string])[] = [
    [["checkpoint"], "the server makes its checkpoints"],
    [["backup", "x.db"], "pg_dump"],
    [["restore", "x.db"], "pg_restore"],
    [["repair"], "PostgreSQL keeps its own files whole"],
  ];
  for (const [command, advice] of instead) {
    const { code, err } = await run(address, ...command);
    assertEquals(code, 2);
    assertStringIncludes(err, advice);
  }
});

test("an address that is wrong is a mistake of the user's", async (address) => {
  const { code, err } = await run(`${address}&colour=blue`, "list");
  assertEquals(code, 2);
  assertStringIncludes(err, '"colour"');
  assertEquals((await run(`${address}&connections=0`, "stats")).code, 2);
});

test("move brings a file's queue there and back, by its address, and shows no password", async (address) => {
  const folder = await Deno.makeTempDir({ prefix: "holdfast move ü " });
  try {
    const [old, back] = [`${folder}/old.db`, `${folder}/back.db`];
    await run(old, "enqueue", "echo", "--run-id", "r-1");
    const moved = await run(old, "move", "--to", address, "--json");
    assertEquals(moved.code, 0, moved.err);
    const { from, to, state, contents } = JSON.parse(moved.out);
    assertEquals([from.endsWith("old.db"), state, contents.tasks], [true, "moved", 1]);
    assertStringIncludes(to, "postgres://postgres@");
    const refused = await run(old, "enqueue", "echo");
    assertEquals(refused.code, 4);
    assertStringIncludes(refused.err, "its tasks were moved to");
    assertEquals((await run(old, "explain", "r-1", "--json")).out.includes("queue_moved"), true);
    assertEquals((await run(old, "health")).code, 1);
    const worked = await run(old, "worker", "--handlers", HANDLERS);
    assertEquals(worked.code, 4, worked.err);
    assertStringIncludes(worked.err, "its tasks were moved to");
    assertEquals((await run(old, "move", "--to", address)).code, 0);
    assertStringIncludes(
      (await run(address, "move", "--to", old)).err,
      "is closed by another move",
    );
    assertEquals((await run(address, "move", "--to", address)).code, 1);
    assertEquals((await run(address, "move", "--to", back)).code, 0);
    assertEquals((await run(back, "worker", "--handlers", HANDLERS, "--until-empty")).code, 0);
    const none = await run(back, "move", "--to", address, "--cancel");
    assertEquals([none.code, none.err.includes("there is none")], [1, true]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
