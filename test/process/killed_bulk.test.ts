import { bulkIsKilled } from "./kills.ts";
import { QueueFolder } from "./support.ts";

Deno.test("a bulk cancel that is killed leaves a prefix that a second one completes", async () => {
  await using folder = new QueueFolder();
  await bulkIsKilled(folder.path, 1000);
});
