/**
 * `/api/schedules`.
 */
import { assertEquals } from "@std/assert";
import { withApp } from "./fixture.ts";

const NIGHTLY = {
  id: "nightly",
  type: "report",
  payload: { pages: 2 },
  cron: "30 2 * * *",
  time_zone: "Europe/Berlin",
};

function send(method: string, body: unknown): RequestInit {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

Deno.test("a schedule is added once, listed, paused, resumed and removed", () =>
  withApp(async ({ app, queue }) => {
    const added = await app.request("/api/schedules", send("POST", NIGHTLY));
    const schedule = await added.json();
    assertEquals([added.status, schedule.created, schedule.payload], [201, true, { pages: 2 }]);
    const again = await app.request("/api/schedules", send("POST", NIGHTLY));
    assertEquals([again.status, (await again.json()).created], [200, false]);
    const other = { ...NIGHTLY, priority: 1 };
    const refused = await app.request("/api/schedules", send("POST", other));
    assertEquals([refused.status, (await refused.json()).error_code], [409, "SCHEDULE_CONFLICT"]);
    const replaced = await app.request(
      "/api/schedules",
      send("POST", { ...other, replace: true }),
    );
    assertEquals([replaced.status, (await replaced.json()).priority], [200, 1]);
    const { schedules } = await (await app.request("/api/schedules")).json();
    assertEquals(schedules.map(({ id }: { id: string }) => id), ["nightly"]);
    for (const paused of [true, false]) {
      const changed = await app.request("/api/schedules/nightly", send("PATCH", { paused }));
      assertEquals([changed.status, (await changed.json()).paused], [200, paused]);
      assertEquals((await queue.getSchedule("nightly"))!.paused, paused);
    }
    const removed = await app.request("/api/schedules/nightly", { method: "DELETE" });
    assertEquals([removed.status, await removed.json()], [200, { removed: true }]);
    const gone = await app.request("/api/schedules/nightly");
    assertEquals([gone.status, (await gone.json()).error_code], [404, "SCHEDULE_NOT_FOUND"]);
  }));

Deno.test("a schedule takes a webhook, shows it, and names what is wrong with one", () =>
  withApp(async ({ app, queue }) => {
    const webhook = { url: "https://hooks.example.com/done", events: ["failed"] };
    const added = await app.request("/api/schedules", send("POST", { ...NIGHTLY, webhook }));
    assertEquals([added.status, (await added.json()).webhook], [201, webhook]);
    const plain = { ...NIGHTLY, id: "plain" };
    const other = await app.request("/api/schedules", send("POST", plain));
    assertEquals((await other.json()).webhook, null);
    const wrong = { ...NIGHTLY, id: "wrong", webhook: { url: "x", events: ["done"] } };
    const refused = await app.request("/api/schedules", send("POST", wrong));
    const { errors } = await refused.json();
    assertEquals([refused.status, errors.map(({ field }: { field: string }) => field)], [
      422,
      ["webhook.url", "webhook.events.0"],
    ]);
    assertEquals((await queue.listSchedules()).length, 2);
  }));

Deno.test("what the queue refuses of a schedule is 422 with its words", () =>
  withApp(async ({ app, queue }) => {
    for (
      const [fields, detail] of [
        [{ cron: "x y" }, '"x y" as cron'],
        [{ every_ms: 5000 }, "both of everyMs and cron"],
        [{ cron: undefined }, "neither of everyMs and cron"],
        [{ time_zone: "Mars" }, '"Mars" as timeZone'],
        [{ cron: "0 0 30 2 *" }, "never comes"],
        [{ catch_up: "some" }, "catch_up"],
      ] as const
    ) {
      const answer = await app.request("/api/schedules", send("POST", { ...NIGHTLY, ...fields }));
      const body = await answer.json();
      const code = detail === "never comes" ? "OUT_OF_RANGE" : "VALIDATION_ERROR";
      assertEquals([answer.status, body.error_code], [422, code], detail);
      assertEquals(body.detail.includes(detail), true, body.detail);
    }
    assertEquals(await queue.listSchedules(), []);
  }));
