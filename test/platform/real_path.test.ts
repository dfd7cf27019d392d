import { assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { getOrCreateQueue } from "../../src/mod.ts";
import { realPath } from "../../src/platform/real_path.ts";
import { withTemporaryPath } from "../support/queues.ts";

const WITHOUT_LINKS = Deno.build.os === "windows"; // making a link needs a privilege

Deno.test({
  name: "realPath() follows links, also where nothing is yet, and takes the rest as it is written",
  ignore: WITHOUT_LINKS,
  fn: () =>
    withTemporaryPath(async (path) => {
      const folder = await Deno.realPath(dirname(path));
      await Deno.mkdir(join(folder, "real"));
      await Deno.symlink("real", join(folder, "linked"));
      await Deno.symlink("real/later.db", join(folder, "dangling.db"));
      await Deno.symlink("loop.db", join(folder, "loop.db"));
      const later = join(folder, "real", "later.db");
      assertEquals(realPath(later), later);
      assertEquals(realPath(join(folder, "linked", "later.db")), later);
      assertEquals(realPath(join(folder, "dangling.db")), later);
      assertEquals(
        realPath(join(folder, "a", "..", "linked", "b", "q.db")),
        join(folder, "real/b/q.db"),
      );
      assertNotEquals(realPath(join(folder, "loop.db")), "");
    }),
});

Deno.test({
  name: "getOrCreateQueue() gives one queue for a link and its target",
  ignore: WITHOUT_LINKS,
  fn: () =>
    withTemporaryPath(async (path) => {
      const link = join(dirname(path), "link.db");
      await Deno.symlink(path, link);
      const queue = await getOrCreateQueue(path);
      assertStrictEquals(await getOrCreateQueue(link), queue);
      await queue.close();
    }),
});
