import { bulkIsKilled, rateHoldsOverKills } from "../process/kills.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();

/** The address of a queue in a schema that is not there yet. */
function freshPlace(): string {
  const url = new URL(server.url);
  url.searchParams.set("schema", freshSchema());
  return url.href;
}

Deno.test("a bulk cancel that is killed leaves a prefix that a second one completes", () =>
  bulkIsKilled(freshPlace(), 3000));

Deno.test("a rate holds over three processes that are killed and restarted", () =>
  rateHoldsOverKills(freshPlace(), {
    rate: { limit: 8, periodMs: 2000, burst: 4 },
    starts: 40,
    killEvery: 10,
  }));
