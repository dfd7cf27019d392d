/**
 * Opens the queue and says how many tasks it sees: `looker.ts QUEUE`. Between the snapshot and the journal it waits for the
 * word `go`. At each further word it looks, enqueues a task under that word's name, and looks again. Ends when its input
 * does.
 */
import { openQueue } from "../../../src/mod.ts";
import { DenoStorage } from "../../../src/platform/deno_storage.ts";
import type { FileName, StorageFile } from "../../../src/storage/storage.ts";
import { Instructions, report } from "./program.ts";

const WORDS = ["first", "second"];

const [path] = Deno.args;
const instructions = new Instructions();

/** A process that is slow at one place. */
class SlowStorage extends DenoStorage {
  override async openToRead(name: FileName): Promise<StorageFile | undefined> {
    const file = await super.openToRead(name);
    report({ kind: "snapshot_read" });
    await instructions.heard("go");
    return file;
  }
}

const queue = await openQueue({ storage: new SlowStorage(path!) });
report({ kind: "seen", tasks: await queue.count() });
for (const word of WORDS) {
  await instructions.heard(word);
  report({ kind: "seen", tasks: await queue.count() });
  const { task: { id, runId } } = await queue.enqueue({ type: "anything", runId: word });
  report({ kind: "acknowledged", id, runId });
  report({ kind: "seen", tasks: await queue.count() });
}
await instructions.end;
await queue.close();
