import { rateHoldsOverKills } from "./kills.ts";
import { QueueFolder } from "./support.ts";

Deno.test("a rate holds over three processes that are killed and restarted", async () => {
  await using folder = new QueueFolder();
  const rate = { limit: 8, periodMs: 500, burst: 4 };
  await rateHoldsOverKills(folder.path, { rate, starts: 40, killEvery: 10 });
});
