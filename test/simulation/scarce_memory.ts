/**
 * Memory that a simulated queue soon fills: a few pages more than an empty one takes, whatever tables it has by now.
 */
import { MEMORY_LIMITS } from "../../src/domain/memory_limits.ts";
import type { SqlEngine } from "../../src/ledger/sql_engine.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";

interface Pages {
  readonly count: number;
  readonly bytes: number;
}

let emptyQueue: Pages | undefined;

/** The limit of a queue in which so many pages more than the empty one's lie below the mark up to which tasks are added. */
export function scarceMemory(engine: SqlEngine, pages: number): number {
  emptyQueue ??= measureEmpty(engine);
  const { count, bytes } = emptyQueue;
  return Math.ceil((count + pages) * bytes / MEMORY_LIMITS.highWaterShare);
}

function measureEmpty(engine: SqlEngine): Pages {
  const database = engine.open();
  for (const migration of QUEUE_SCHEMA.migrations) database.run(migration);
  const [count, bytes] = ["page_count", "page_size"].map((pragma) =>
    Number(database.all(`PRAGMA ${pragma}`)[0]![0])
  );
  database.close();
  return { count: count!, bytes: bytes! };
}
