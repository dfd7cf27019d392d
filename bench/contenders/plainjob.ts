/**
 * plainjob on better-sqlite3, in Node, where both are: BENCH_NODE_FOLDER names a folder in which
 * `npm install plainjob better-sqlite3` was done.
 *
 * Where its work differs: it waits for the disk at each commit only because it is told to (its own setting is NORMAL); no
 * worker, attempt or token guards a completion; there is no priority, no unique key, no result and no history. It claims one
 * task at a time. Its orders are carried out and timed in its own process.
 */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Child } from "../children.ts";
import type { Performed } from "../orders.ts";
import type { Contender } from "./contender.ts";

/** Its name. */
export const PLAINJOB_NAME = "plainjob on better-sqlite3, FULL (Node)";

const PROGRAM = fileURLToPath(new URL("../programs/plainjob.mjs", import.meta.url));

/** Why it cannot take part; `undefined` when it can. */
export function whyNoPlainjob(): string | undefined {
  const folder = Deno.env.get("BENCH_NODE_FOLDER");
  if (folder === undefined) {
    return "BENCH_NODE_FOLDER names no folder with plainjob and better-sqlite3";
  }
  for (const name of ["plainjob", "better-sqlite3/build/Release/better_sqlite3.node"]) {
    const path = join(folder, "node_modules", name);
    try {
      Deno.statSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return `there is no ${path}`;
      throw error;
    }
  }
  return undefined;
}

/** plainjob at `path`. */
export async function plainjob(path: string): Promise<Contender> {
  const child = new Child(["node", PROGRAM, Deno.env.get("BENCH_NODE_FOLDER")!, path]);
  await child.hear<"ready">();
  const elsewhere = (): never => {
    throw new Error("plainjob is given whole orders");
  };
  return {
    name: PLAINJOB_NAME,
    survives: "power cut",
    enqueue: elsewhere,
    enqueueBatch: elsewhere,
    claimAndComplete: elsewhere,
    perform: async (order) => {
      await child.tell(JSON.stringify(order));
      return await child.hear<Performed>();
    },
    syncs: () => Promise.resolve(null),
    close: () => child.end(),
  };
}
