/**
 * `holdfast move` dies by `kill -9`, at any moment, and goes on.
 */
import { dirname, join } from "node:path";
import { effort } from "../support/effort.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { drill } from "../transfer/move_drill.ts";

Deno.test("a move that is killed again and again loses nothing, and doubles nothing", () =>
  withTemporaryPath(async (path) => {
    const folder = dirname(path);
    await drill({
      to: join(folder, "second.db"),
      folder,
      tasks: 1000,
      kills: effort("queueMoveKills"),
    });
  }));
