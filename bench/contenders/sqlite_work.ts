/**
 * What the contenders on node:sqlite have in common.
 */
import type { Survives } from "../figures.ts";
import { RESULT, type Working } from "./contender.ts";

/** How SQLite waits for the disk: `FULL` before each commit returns, `NORMAL` at checkpoints only. */
export type Synchronous = "FULL" | "NORMAL";

/** What its acknowledged operations survive. */
export function survives(synchronous: Synchronous): Survives {
  return synchronous === "FULL" ? "power cut" : "killed process";
}

/** A table of tasks. */
export interface TaskTable<Row> {
  insertMany(count: number): void;
  claim(limit: number): Row[];
  complete(row: Row): void;
}

/** A loop that claims, handles and completes, `concurrency` tasks at once. */
export function sqliteWork<Row>(table: TaskTable<Row>, concurrency: number): Working {
  const handler = (): Promise<unknown> => Promise.resolve(RESULT);
  return {
    live: async (count) => {
      table.insertMany(count);
      for (let done = 0; done < count;) {
        const rows = table.claim(concurrency);
        await Promise.all(rows.map(async (row) => {
          await handler();
          table.complete(row);
        }));
        done += rows.length;
      }
    },
    stop: () => Promise.resolve(),
  };
}
