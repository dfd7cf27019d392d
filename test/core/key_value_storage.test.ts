/**
 * The storage of `examples/edge`: the port's contract, and a crash at every call of its store.
 */
import { assert, assertEquals } from "@std/assert";
import { KeyValueStorage, type KeyValueStore } from "../../examples/edge/key_value_storage.ts";
import { openQueue } from "../../src/mod.ts";
import { storageContract } from "../contract/storage_contract.ts";

/** A store in memory whose calls take effect in their order, on a later turn; from one call on it is not there any more. */
class TestStore implements KeyValueStore {
  readonly kept: Map<string, unknown>;
  calls = 0;
  readonly #callsMax: number;

  constructor(kept = new Map<string, unknown>(), callsMax = Infinity) {
    this.kept = kept;
    this.#callsMax = callsMax;
  }

  async list({ prefix }: { readonly prefix: string }): Promise<Map<string, unknown>> {
    await Promise.resolve();
    return new Map([...this.kept].filter(([key]) => key.startsWith(prefix)));
  }

  put(entries: Readonly<Record<string, unknown>>): Promise<void> {
    assert(Object.keys(entries).length <= 128);
    const copies = structuredClone(entries);
    return this.#do(() => {
      for (const [key, value] of Object.entries(copies)) this.kept.set(key, value);
    });
  }

  delete(keys: string[]): Promise<void> {
    assert(keys.length <= 128);
    return this.#do(() => keys.forEach((key) => this.kept.delete(key)));
  }

  async #do(act: () => void): Promise<void> {
    const isGone = ++this.calls > this.#callsMax;
    await Promise.resolve();
    if (isGone) throw new Error("the object is gone");
    act();
  }
}

storageContract("KeyValueStorage", async (test) => {
  const storage = new KeyValueStorage(new TestStore());
  await storage.open();
  await test(storage, storage);
}, { isAlone: true });

Deno.test("a queue in a key-value store is there again, after checkpoints too, and no page without a file", async () => {
  const kept = new Map<string, unknown>([["other/1/0", "another's"]]);
  const queue = await openQueue({ storage: new KeyValueStorage(new TestStore(kept)) });
  for (let n = 0; n < 100; n++) {
    await queue.enqueue({ type: "a", payload: { text: "x".repeat(999) } });
  }
  await queue.checkpoint();
  await queue.enqueue({ type: "b" });
  await queue.close();
  const pages = kept.size;
  const again = await openQueue({ storage: new KeyValueStorage(new TestStore(kept)) });
  assertEquals([await again.count({ type: "a" }), await again.count({ type: "b" })], [100, 1]);
  await again.prune({ keep: 0 });
  await again.close();
  assertEquals(kept.get("other/1/0"), "another's");
  const ids = new Set(Object.values(kept.get("holdfast/names") as Record<string, number>));
  const strays = [...kept.keys()].filter((key) =>
    /^holdfast\/\d/.test(key) && !ids.has(Number(key.split("/")[1]))
  );
  assertEquals(strays, []);
  assert(pages < 200, `${pages} keys`);
});

Deno.test("whatever call of the store is the last, all that was answered is there again", async () => {
  let [calls, callsMax, answered] = [1, 0, 0];
  while (calls > callsMax) {
    callsMax++;
    const kept = new Map<string, unknown>();
    const store = new TestStore(kept, callsMax);
    const done = await work(new KeyValueStorage(store));
    calls = store.calls;
    answered += done.size;
    const queue = await openQueue({ storage: new KeyValueStorage(new TestStore(kept)) });
    for (const [runId, status] of done) {
      const found = (await queue.getByRunId(runId))?.status; // more than was answered may have been stored
      assert(found === status || found && status === "queued", `after call ${callsMax}: ${found}`);
    }
    await queue.close();
  }
  assert(calls > 12 && answered > 50, `${calls} calls, ${answered} answers`);
});

/** Enqueues, completes and checkpoints until the store is gone; gives what was answered: each only when the store has it. */
async function work(storage: KeyValueStorage): Promise<ReadonlyMap<string, string>> {
  const done = new Map<string, string>();
  try {
    const queue = await openQueue({ storage, onBackgroundError: () => {} });
    try {
      for (let n = 0; n < 6; n++) {
        const { task } = await queue.enqueue({ type: "a", payload: { n } });
        await storage.written();
        done.set(task.runId, "queued");
        if (n % 2 === 0) continue;
        const [lease] = await queue.claim({ workerId: "w", types: ["a"] });
        await queue.complete(lease!, { n });
        await storage.written();
        done.set(lease!.runId, "completed");
        if (n >= 3) await queue.checkpoint(); // the second replaces a snapshot
      }
    } finally {
      await queue.close();
    }
  } catch {
    return done; // the store is gone, as it had to be
  }
  return done;
}
