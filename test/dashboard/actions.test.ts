/**
 * The actions of the dashboard: their effect on the queue, who may do them, and who is kept from it.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { HandlerRegistry } from "../../src/mod.ts";
import { placeBelow } from "../../dashboard/forms.ts";
import { page, send, sent, withDashboard } from "./fixture.ts";

Deno.test("cancel and retry change the task and lead back to where the form stood", () =>
  withDashboard(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "email" });
    const back = `/tasks/${task.id}`;
    assertEquals(await sent(app, "/tasks/cancel", { id: "1", back }), `${back}?did=cancelled&n=1`);
    assertEquals((await queue.get(1))!.status, "cancelled");
    assertStringIncludes(await page(app, `${back}?did=cancelled&n=1`), "Cancelled 1 task.");
    assertEquals(await sent(app, "/tasks/cancel", { id: "1", back }), `${back}?did=unchanged`);
    assertEquals(await sent(app, "/tasks/retry", { id: "1", back }), `${back}?did=retried&n=1`);
    assertEquals((await queue.get(1))!.status, "queued");
  }));

Deno.test("actions on a selection change those tasks alone, though one is gone", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 4 }, () => ({ type: "email" })));
    const fields = new URLSearchParams([["id", "1"], ["id", "3"], ["id", "99"], [
      "action",
      "cancel",
    ], ["back", "/tasks"]]);
    assertEquals(await sent(app, "/tasks/selected", fields), "/tasks?did=cancelled&n=2");
    assertEquals(await queue.count({ status: "cancelled" }), 2);
  }));

Deno.test("an action on all that match shows their count first and spares what came later", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueueBatch(
      Array.from({ length: 250 }, (_, n) => ({ type: n < 240 ? "a" : "b" })),
    );
    const text = await page(app, "/tasks/all?action=cancel&type=a");
    assertStringIncludes(text, "Cancel 240 tasks");
    const upTo = /name="up_to" value="(\d+)"/.exec(text)![1]!;
    await queue.enqueue({ type: "a" });
    const to = await sent(app, "/tasks/all", { action: "cancel", filter: "type=a", up_to: upTo });
    assertEquals(to, "/tasks?type=a&did=cancelled&n=240");
    assertEquals(await queue.count({ status: "queued" }), 11);
    await sent(app, "/tasks/all", { action: "retry", filter: "status=cancelled", up_to: upTo });
    assertEquals(await queue.count({ status: "queued" }), 251);
  }));

Deno.test("one task is changed, run now, replaced and deleted, by whom", () =>
  withDashboard(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "email", payload: { to: "a" } });
    const edit = {
      id: "1",
      priority: "7",
      run_after: "2126-01-31T12:00Z",
      group: "acme",
      tags: " b \r\n\r\na",
    };
    const seen = task.updatedAt.toISOString();
    assertEquals(await sent(app, "/tasks/edit", { ...edit, seen }), "/tasks/1?did=updated&n=1");
    const edited = (await queue.get(1))!;
    assertEquals([edited.priority, edited.group, edited.tags], [7, "acme", ["a", "b"]]);
    const stale = await send(app, "/tasks/edit", { ...edit, priority: "8", seen });
    assertEquals(stale.status, 409, await stale.text());
    const back = "/tasks/1";
    assertEquals(await sent(app, "/tasks/run_now", { id: "1", back }), `${back}?did=run_now&n=1`);
    assertEquals(await sent(app, "/tasks/run_now", { id: "1", back }), `${back}?did=unchanged`);
    const text = await page(app, back);
    assertStringIncludes(text, "priority 100 → 7");
    assertStringIncludes(text, "by ops");
    const payload = `{"to":"b"}`;
    const to = await sent(app, "/tasks/replace", { id: "1", payload });
    assertEquals(to, "/tasks/2?did=replaced");
    assertEquals((await queue.get(2))!.payload, { to: "b" });
    assertStringIncludes(await page(app, "/tasks/1/remove"), "Delete it for good");
    assertEquals(await sent(app, "/tasks/remove", { id: "1" }), "/tasks?did=removed&n=1");
    assertEquals(await queue.get(1), undefined);
    const gone = await send(app, "/tasks/remove", { id: "1" });
    assertEquals(gone.status, 404, await gone.text());
  }, { access: () => ({ name: "ops", scopes: ["admin"] }) }));

Deno.test("a selection and all that match are changed, and deleted by an admin alone", async () => {
  for (const scope of ["operate", "admin"] as const) {
    await withDashboard(async ({ app, queue }) => {
      await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "email" })));
      const chosen = [["id", "1"], ["id", "2"]];
      const asked = await page(app, `/tasks/chosen?action=set_priority&id=1&id=2&id=99`);
      assertStringIncludes(asked, "Set the priority of 2 tasks");
      const priority = [["action", "set_priority"], ["priority", "7"], ["back", "/tasks"]];
      const selected = new URLSearchParams([...chosen, ...priority]);
      assertEquals(await sent(app, "/tasks/selected", selected), "/tasks?did=updated&n=2");
      assertEquals((await queue.get(2))!.priority, 7);
      const later = { action: "reschedule", run_after: "2126-01-01T00:00Z", up_to: "4" };
      assertEquals(await sent(app, "/tasks/all", later), "/tasks?did=updated&n=4");
      const now = { action: "run_now", filter: "q=email", up_to: "3" };
      assertEquals(await sent(app, "/tasks/all", now), "/tasks?q=email&did=run_now&n=3");
      await queue.cancel(5);
      const wrong = await send(app, "/tasks/all", { ...later, run_after: "soon" });
      assertEquals(wrong.status, 422, await wrong.text());
      const remove = await send(app, "/tasks/all", { action: "remove", up_to: "5" });
      await remove.body?.cancel();
      assertEquals(remove.status, scope === "admin" ? 303 : 403);
      assertEquals(await queue.count(), scope === "admin" ? 4 : 5);
      const page403 = await app.request("/tasks/all?action=remove");
      await page403.body?.cancel();
      assertEquals(page403.status, scope === "admin" ? 200 : 403);
    }, { access: () => ({ name: "me", scopes: ["read", scope] }) });
  }
});

Deno.test("a task can be edited and enqueued as a new one; the old one stays", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email", payload: { to: "a" } });
    const fields = { type: "email", payload: `{"to":"b"}`, priority: "7", run_after: "" };
    assertEquals(await sent(app, "/tasks/new", fields), "/tasks/2?did=created");
    const [old, fresh] = [await queue.get(1), await queue.get(2)];
    assertEquals([old!.payload, fresh!.payload, fresh!.priority], [{ to: "a" }, { to: "b" }, 7]);
    for (
      const wrong of [{ payload: "{" }, { payload: "12345678901234567890" }, { priority: "0" }, {
        run_after: "soon",
      }]
    ) {
      const refused = await send(app, "/tasks/new", { ...fields, ...wrong });
      const text = await refused.text();
      assert([400, 422].includes(refused.status), `${refused.status} ${JSON.stringify(wrong)}`);
      assertStringIncludes(text, "That did not work");
    }
    assertEquals(await queue.count(), 2);
  }));

Deno.test("the queue and a type are paused and resumed, with the name of who did it", () =>
  withDashboard(async ({ app, queue }) => {
    await sent(app, "/pause", { type: "email", reason: "the server is down", back: "/" });
    const [limit] = await queue.listLimits();
    assertEquals([limit!.scope, limit!.paused!.by, limit!.paused!.reason], [
      { type: "email" },
      "ops",
      "the server is down",
    ]);
    assertStringIncludes(await page(app, "/"), "the server is down");
    await sent(app, "/resume", { type: "email", back: "/" });
    assertEquals(await queue.listLimits(), []);
    await sent(app, "/pause", {});
    assertEquals((await queue.listLimits())[0]!.scope, {});
    assert(!(await page(app, "/")).includes('action="/pause"'));
  }, { access: () => ({ name: "ops", scopes: ["operate", "read"] }) }));

Deno.test("a group is paused and resumed by itself, also of one type", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.pause({ type: "email" });
    await sent(app, "/pause", { type: "email", group: "acme" });
    await sent(app, "/pause", { type: "", group: "*", reason: "night" });
    const text = await page(app, "/");
    for (const name of ["group acme of type email", "each group"]) assertStringIncludes(text, name);
    assertStringIncludes(text, 'action="/pause"');
    assertStringIncludes(text, '<input type="hidden" name="group" value="acme"');
    await sent(app, "/resume", { type: "email", group: "acme" });
    const paused = (await queue.listLimits()).map(({ scope }) => scope);
    assertEquals(paused, [{ group: "*" }, { type: "email" }]);
  }, { access: () => ({ name: "ops", scopes: ["operate", "read"] }) }));

Deno.test("a caller with read alone sees no form that changes anything, and can send none", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email" });
    for (const path of ["/", "/tasks", "/tasks/1"]) {
      const text = await page(app, path);
      const forms = [...text.matchAll(/<form [^>]*action="([^"]*)"[^>]*>/g)].map(([, to]) => to);
      assert(!/<button[^>]*>(Cancel|Retry|Pause)/.test(text), path);
      assertEquals(forms.filter((to) => to !== "/tasks" && to !== "/tasks/selected"), [], path);
    }
    for (const path of ["cancel", "retry", "selected", "all", "new"]) {
      const response = await send(app, `/tasks/${path}`, {
        id: "1",
        action: "cancel",
        up_to: "1",
        type: "t",
      });
      assertEquals(response.status, 403, path);
      await response.body?.cancel();
    }
    assertEquals((await queue.get(1))!.status, "queued");
  }, { access: () => ({ name: "reader", scopes: ["read"] }) }));

Deno.test("a form of another site changes nothing", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email" });
    const foreign = [{ Origin: "https://evil.example" }, { Origin: "null" }];
    for (const headers of foreign) {
      const response = await send(app, "/tasks/cancel", { id: "1" }, headers);
      assertEquals(response.status, 403);
      await response.body?.cancel();
    }
    const bare = await app.request("/tasks/cancel", {
      method: "POST",
      headers: { "Sec-Fetch-Site": "cross-site" },
      body: new URLSearchParams({ id: "1" }),
    });
    assertEquals(bare.status, 403);
    await bare.body?.cancel();
    assertEquals((await queue.get(1))!.status, "queued");
  }));

Deno.test("schedules are paused, resumed, run now and removed after a question", () =>
  withDashboard(async ({ app, queue }) => {
    const id = `daily "report"/1`;
    await queue.addSchedule({ id, type: "report", cron: "@daily", payload: { n: 1 }, priority: 5 });
    await sent(app, "/schedules/pause", { id, back: "/schedules" });
    assertEquals((await queue.getSchedule(id))!.paused, true);
    await sent(app, "/schedules/resume", { id, back: "/schedules" });
    assertEquals((await queue.getSchedule(id))!.paused, false);
    assertEquals(await sent(app, "/schedules/run", { id }), "/tasks/1?did=created");
    const task = (await queue.get(1))!;
    assertEquals([task.type, task.payload, task.priority], ["report", { n: 1 }, 5]);
    const asked = await page(app, `/schedules/remove?id=${encodeURIComponent(id)}`);
    assertStringIncludes(asked, "Remove it for good");
    assertStringIncludes(await sent(app, "/schedules/remove", { id }), "did=schedule_removed");
    assertEquals(await queue.getSchedule(id), undefined);
    const gone = await send(app, "/schedules/pause", { id });
    assertEquals(gone.status, 404);
    await gone.body?.cancel();
  }));

Deno.test("finished tasks are deleted after a question, and by an admin alone", async () => {
  for (const scope of ["operate", "admin"] as const) {
    await withDashboard(async ({ app, queue }) => {
      await queue.enqueue({ type: "email" });
      await queue.cancel(1);
      const response = await send(app, "/prune", { days: "0" });
      await response.body?.cancel();
      assertEquals(response.status, scope === "admin" ? 303 : 403);
      assertEquals(await queue.count(), scope === "admin" ? 0 : 1);
    }, { access: () => ({ name: "me", scopes: ["read", scope] }) });
  }
});

Deno.test("a module's form is made from its schema, and what it sends is checked by it", async () => {
  const payload = z.strictObject({
    to: z.email().describe("Whom to write to"),
    copies: z.number().int().min(1).max(9).default(1),
    tone: z.enum(["formal", "friendly"]).optional(),
    urgent: z.boolean().default(false),
    extra: z.array(z.string()).optional(),
  });
  const handlers = new HandlerRegistry().register("email", () => null, { payload });
  await withDashboard(async ({ app, queue }) => {
    assertStringIncludes(await page(app, "/run"), `href="/run?module=email"`);
    const form = await page(app, "/run?module=email");
    for (
      const part of [`name="p:to"`, "Whom to write to", '<option value="formal"', `type="checkbox"`]
    ) {
      assertStringIncludes(form, part);
    }
    const fields = {
      module: "email",
      "p:to": "a@example.com",
      "p:copies": "2",
      "p:tone": "formal",
      "p:extra": `["x"]`,
    };
    assertEquals(await sent(app, "/run", fields), "/tasks/1?did=created");
    assertEquals((await queue.get(1))!.payload, {
      to: "a@example.com",
      copies: 2,
      tone: "formal",
      urgent: false,
      extra: ["x"],
    });
    for (
      const wrong of [{ "p:to": "nobody" }, { "p:copies": "many" }, { "p:copies": "10" }, {
        "p:extra": "[",
      }]
    ) {
      const refused = await send(app, "/run", { ...fields, ...wrong });
      assertEquals(refused.status, 422, await refused.text());
    }
    assertEquals(await queue.count(), 1);
  }, { handlers });
});

Deno.test("no redirect leads to another place", () => {
  for (
    const place of [
      "//evil.example",
      "https://evil.example",
      "/\\evil.example",
      "/\t/evil",
      "javascript:alert(1)",
      "",
      undefined,
    ]
  ) {
    assertEquals(placeBelow("/q", place), "/q", String(place));
  }
  assertEquals(placeBelow("", "/tasks?type=a&did=x", { did: "y" }), "/tasks?type=a&did=y");
  assertEquals(placeBelow("", "/"), "/");
});
