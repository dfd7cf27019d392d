/**
 * What a replica makes of a record: exactly its changes, or nothing; a repair makes the rows be as the record says.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { Replica } from "../../src/ledger/replica.ts";
import type { SqlRow } from "../../src/ledger/sql_engine.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";

const SCHEMA = {
  tables: [{ name: "notes", key: ["id"] }],
  migrations: [
    "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, stars INTEGER)",
  ],
};

async function withReplica(test: (replica: Replica) => void | Promise<void>): Promise<void> {
  const replica = Replica.open(
    { engine: await loadSqlJsEngine(), schema: SCHEMA, path: "here" },
    undefined,
  );
  try {
    replica.migrate(1);
    replica.apply(record(["notes", [1, "one", 1]], ["notes", [2, "two", 2]]));
    await test(replica);
  } finally {
    replica.close();
  }
}

function record(...images: unknown[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(images));
}

function rows(replica: Replica): SqlRow[] {
  return replica.read("SELECT * FROM notes ORDER BY id");
}

Deno.test("a record adds, changes and removes rows, and only the columns that it names", async () => {
  await withReplica((replica) => {
    replica.apply(record(
      ["notes", [3, "three", 3]],
      ["notes", [1, "ONE", 99], [1]],
      ["notes", null, [2]],
    ));
    assertEquals(rows(replica), [[1, "ONE", 1], [3, "three", 3]]);
  });
});

Deno.test("a record leaves out the nulls at the end of a row, and they come back", async () => {
  await withReplica((replica) => {
    replica.begin();
    const { images } = replica.attempt((tx) => tx.insert("notes", { text: "five", stars: null }));
    replica.rollback();
    assertEquals(images, '["notes",[3,"five"]]');
    const [change] = replica.apply(new TextEncoder().encode(`[${images}]`));
    assertEquals(change!.row, [3, "five", null]);
    assertEquals(rows(replica).at(-1), [3, "five", null]);
  });
});

const IMPOSSIBLE: Readonly<Record<string, unknown[]>> = {
  "adds a row that is there": ["notes", [2, "again", 2]],
  "changes a row that is not there": ["notes", [7, "seven", 7], [1]],
  "removes a row that is not there": ["notes", null, [7]],
  "names a column that is not there": ["notes", [1, "one", 1], [3]],
  "has a row that is too long": ["notes", [1, "one", 1, 1], [1]],
  "is about a table that is not there": ["votes", [1]],
};

for (const [what, image] of Object.entries(IMPOSSIBLE)) {
  Deno.test(`a record that ${what} is refused and changes nothing`, async () => {
    await withReplica((replica) => {
      const before = rows(replica);
      assertThrows(() => replica.apply(record(["notes", [1, "changed", 1], [1]], image)), Error);
      assertEquals(rows(replica), before);
    });
  });
}

Deno.test("salvaging, a record makes the rows be as it says, whatever they were", async () => {
  await withReplica((replica) => {
    replica.salvage(record(
      ["notes", [2, "again", 5]],
      ["notes", [1, "ONE", 9], [1]],
      ["notes", [7, "seven", 7], [1]],
      ["notes", null, [8]],
    ));
    assertEquals(rows(replica), [[1, "ONE", 9], [2, "again", 5], [7, "seven", 7]]);
  });
});

Deno.test("a transaction's images lead another replica to the same rows", async () => {
  await withReplica((ours) => {
    ours.begin();
    const { images } = ours.attempt((tx) => {
      const row = tx.insert("notes", { text: "three" });
      tx.update("notes", row, { stars: 3 });
      tx.update("notes", tx.read("SELECT * FROM notes WHERE id = 1")[0]!, { text: null, stars: 0 });
      tx.remove("notes", [2]);
    });
    ours.commit();
    assertEquals(rows(ours), [[1, null, 0], [3, "three", 3]]);
    const payload = new TextEncoder().encode(`[${images}]`);
    assertEquals(JSON.parse(`[${images}]`)[1], ["notes", [3, "three", 3], [2]]);
    return withReplica((theirs) => {
      theirs.apply(payload);
      assertEquals(rows(theirs), rows(ours));
    });
  });
});

Deno.test("a number that an undone operation has used is used by the next", async () => {
  await withReplica((replica) => {
    replica.begin();
    assertThrows(() =>
      replica.attempt((tx) => {
        assertEquals(tx.insert("notes", { text: "gone" })[0], 3);
        throw new Error("no");
      })
    );
    assertEquals(replica.attempt((tx) => tx.insert("notes", { text: "kept" })[0]).result, 3);
    replica.rollback();
    replica.begin();
    assertEquals(replica.attempt((tx) => tx.insert("notes", { text: "kept" })[0]).result, 3);
    replica.commit();
    replica.apply(record(["notes", [9, "nine", 9]]));
    replica.begin();
    assertEquals(replica.attempt((tx) => tx.insert("notes", { text: "ten" })[0]).result, 10);
    replica.commit();
  });
});
