/**
 * The health of a queue behind a server: every reason arrives, however bad it is.
 */
import { assertEquals } from "@std/assert";
import { createApp } from "../../server/app.ts";
import {
  HEALTH_CODES,
  HEALTH_SEVERITIES,
  type HealthReason,
  type QueueHealth,
} from "../../src/queue/operator.ts";
import { openRemoteQueue } from "../../src/remote_queue/open_remote_queue.ts";
import { overridden } from "../support/overridden_queue.ts";
import { withMemoryQueue } from "../support/queues.ts";

for (const severity of HEALTH_SEVERITIES) {
  Deno.test(`health() behind a server tells every reason of severity ${severity}`, () =>
    withMemoryQueue({}, async (queue) => {
      const reasons = HEALTH_CODES.map((code): HealthReason => {
        return { code, severity, message: `It is ${code}` };
      });
      const verdict = severity === "notice" ? "healthy" : severity;
      const given: QueueHealth = { verdict, reasons, at: new Date(0) };
      const app = createApp({
        queue: overridden(queue, { health: () => Promise.resolve(given) }),
        onError: () => {},
      });
      const remote = openRemoteQueue({
        url: "http://127.0.0.1:1",
        fetch: async (request) => await app.fetch(request),
      });
      assertEquals(await remote.health(), given);
      await remote.close();
    }));
}
