/**
 * The pages of the dashboard: what they show of a queue, and that nothing in a task can make them show anything else.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { Hono } from "hono";
import { createDashboard } from "../../dashboard/app.tsx";
import { TYPES_MAX } from "../../dashboard/pages/overview.tsx";
import { MASK } from "../../dashboard/mask.ts";
import { systemClock, type TaskQueue } from "../../src/mod.ts";
import { overridden } from "../support/overridden_queue.ts";
import { until } from "../support/until.ts";
import { page, sent, withDashboard } from "./fixture.ts";
import { fillHostile, HOSTILE_HANDLERS, HOSTILE_PAGES } from "./hostile.ts";

const CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

Deno.test("the overview of an empty queue teaches three commands", () =>
  withDashboard(async ({ app }) => {
    const text = await page(app, "/");
    assertStringIncludes(text, "holdfast enqueue");
    assertMatch(text, /class="verdict healthy"/);
  }));

Deno.test("an overview whose numbers take long says so, and comes again by itself", async () => {
  const [counted, waits] = [Promise.withResolvers<void>(), [] as (() => void)[]];
  const clock = {
    ...systemClock,
    setTimer: (fire: () => void): () => void => {
      waits.push(fire);
      return () => {};
    },
  };
  await withDashboard(async ({ queue }) => {
    await queue.enqueue({ type: "email" });
    const slow = overridden(queue, {
      metrics: async (request) => {
        await counted.promise;
        return await queue.metrics(request);
      },
    });
    const app = createDashboard({ queue: slow, clock, patienceMs: 500 });
    const answering = app.request("/");
    await until(() => Promise.resolve(waits.length > 0), "the page waits");
    waits[0]!();
    const early = await answering;
    assertEquals([early.status, early.headers.get("Refresh")], [200, "1"]);
    assertStringIncludes(await early.text(), "The tasks are being counted");
    counted.resolve();
    const whole = await app.request("/");
    assertEquals(whole.headers.get("Refresh"), null);
    assertMatch(await whole.text(), /class="verdict/);
    for (const patienceMs of [-1, NaN]) {
      assertThrows(() => createDashboard({ queue, patienceMs }), RangeError, "patienceMs");
    }
  });
});

Deno.test("every page carries the policy, and none has an inline style or script", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email" });
    const pages = ["/", "/tasks", "/tasks/1", "/tasks/1/again", "/tasks/all?action=cancel"];
    const operator = ["/failures", "/workers", "/schedules", "/storage", "/prune?days=3", "/run"];
    for (const path of [...pages, ...operator]) {
      const response = await app.request(path);
      const text = await response.text();
      assertEquals(response.status, 200, `${path}: ${text}`);
      assertEquals(response.headers.get("Content-Security-Policy"), CSP);
      assert(!/\sstyle=|<style|\son\w+=|<script>|javascript:/i.test(text), path);
    }
  }));

Deno.test("assets have a hash in their path and are kept for ever", () =>
  withDashboard(async ({ app }) => {
    const bytes = await firstPageBytes(app);
    assert(bytes <= 60 * 1024, `the first page has ${bytes} bytes`);
  }));

/** How many bytes the overview has, with all that it loads. */
async function firstPageBytes(app: Hono): Promise<number> {
  const lengthOf = (text: string): number => new TextEncoder().encode(text).length;
  const text = await page(app, "/");
  const paths = [...text.matchAll(/(?:href|src)="(\/assets\/[0-9a-f]{8}\/[\w.]+)"/g)];
  assertEquals(paths.length, 3);
  let bytes = lengthOf(text);
  for (const [, path] of paths) {
    const response = await app.request(path!);
    assertStringIncludes(response.headers.get("Cache-Control")!, "immutable");
    bytes += lengthOf(await response.text());
  }
  return bytes;
}

Deno.test("the filter of the tasks stands in the URL, and pages follow by a cursor", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 60 }, (_, n) => ({ type: `t${n % 2}` })));
    await queue.cancel(3);
    assertMatch(await page(app, "/tasks"), /data-say="60 tasks"/);
    const cancelled = await page(app, "/tasks?status=cancelled");
    assertMatch(cancelled, /data-say="1 tasks"/);
    assertEquals(rowsOf(cancelled), [3]);
    const first = await page(app, "/tasks");
    const next = /href="([^"]+)"[^>]*>Older</.exec(first)![1]!.replaceAll("&amp;", "&");
    assertEquals([...rowsOf(first), ...rowsOf(await page(app, next))].length, 60);
    assertEquals(rowsOf(await page(app, "/tasks?type=t0&q=T0")).length, 30);
  }));

Deno.test("a list by age goes on until all that is old enough is found", async () => {
  for (const [laterMs, count] of [[0, 0], [120_000, 120]] as const) {
    const clock = { ...systemClock, nowMs: () => Date.now() + laterMs };
    await withDashboard(async ({ app, queue }) => {
      await queue.enqueueBatch(Array.from({ length: 120 }, () => ({ type: "t" })));
      const found: number[] = [];
      for (let path = "/tasks?age=1min";;) {
        const text = await page(app, path);
        assertMatch(text, /\d+ found among \d+ tasks/);
        found.push(...rowsOf(text));
        const next = /href="([^"]+)"[^>]*>Search further</.exec(text)?.[1];
        if (next === undefined) break;
        path = next.replaceAll("&amp;", "&");
      }
      assertEquals([found.length, new Set(found).size], [count, count]);
    }, { clock });
  }
});

Deno.test("a search says how far it went, and a link goes on", () =>
  withDashboard(async ({ app, queue }) => {
    const payloads = Array.from({ length: 70 }, (_, n) => n % 7 === 6 ? "straw" : "a needle");
    await queue.enqueueBatch(payloads.map((payload) => ({ type: "t", payload })));
    const first = await page(app, "/tasks?q=Needle&type=t");
    assertEquals(rowsOf(first).length, 50);
    assertMatch(first, /50 found, searched 59 of 70 tasks at most/);
    const next = /href="([^"]+)"[^>]*>Search further</.exec(first)![1]!.replaceAll("&amp;", "&");
    const second = await page(app, next);
    assertEquals(new Set([...rowsOf(first), ...rowsOf(second)]).size, 60);
    assertMatch(second, /10 found, searched all 70 tasks/);
    assertEquals(/Search further/.test(second), false);
    for (
      const query of ["q=%00%07&from=x", `q=${"%F0%9F%98%80".repeat(150)}`, "q=a&from=text-1-x"]
    ) {
      await page(app, `/tasks?${query}`);
    }
  }));

Deno.test("what is masked is not found, however much of it there is, and hides nothing else", () =>
  withDashboard(async ({ app, queue }) => {
    const tasks = Array.from({ length: 120 }, () => ({ type: "t", payload: { token: "hunter2" } }));
    await queue.enqueueBatch([{ type: "t", payload: { said: "HUNTER2" } }, ...tasks]);
    for (let path = "/tasks?q=hunter2", found: number[] = [];;) {
      const text = await page(app, path);
      found = [...found, ...rowsOf(text)];
      const next = /href="([^"]+)"[^>]*>Search further</.exec(text)?.[1];
      if (next !== undefined) path = next.replaceAll("&amp;", "&");
      else {
        assertEquals(found, [1]);
        break;
      }
    }
    const all = { action: "cancel", filter: "q=hunter2", up_to: "121" };
    assertEquals(await sent(app, "/tasks/all", all), "/tasks?q=hunter2&did=cancelled&n=1");
    assertEquals(await queue.count({ status: "cancelled" }), 1);
  }));

Deno.test("a text that names one task leads to it", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email", runId: "run-of-mine" });
    for (const q of ["1", "%231", "run-of-mine"]) {
      const response = await app.request(`/tasks?q=${q}`);
      assertEquals([response.status, response.headers.get("Location")], [303, "/tasks/1"]);
    }
  }));

Deno.test("a task's page says why it waits, what happened, and which parents it has", () =>
  withDashboard(async ({ app, queue, logs }) => {
    const { task: parent } = await queue.enqueue({ type: "parent" });
    const { task } = await queue.enqueue({ type: "child", dependsOn: [parent.id] });
    logs.append(task.id, {
      at: new Date().toISOString(),
      level: "warn",
      message: "<b>hi</b>",
      attempt: 1,
    });
    const text = await page(app, `/tasks/${task.id}`);
    assertStringIncludes(text, `href="/tasks/${parent.id}"`);
    assertMatch(text, /waits for/i);
    assertStringIncludes(text, "enqueued");
    assertStringIncludes(text, "&lt;b&gt;hi&lt;/b&gt;");
  }));

Deno.test("a task's parents and children are drawn, and listed page by page", () =>
  withDashboard(async ({ app, queue }) => {
    const parents = Array.from({ length: 60 }, (_, n) => ({ type: "in", runId: `p${n}` }));
    const dependsOn = parents.map(({ runId }) => runId);
    const children = Array.from({ length: 70 }, () => ({ type: "out", dependsOn: ["m"] }));
    await queue.enqueueBatch([...parents, { type: "middle", runId: "m", dependsOn }, ...children]);
    const first = await page(app, "/tasks/61");
    const graph = /<svg class="graph".*?<\/svg>/s.exec(first)![0];
    const drawn = [...graph.matchAll(/<a href="\/tasks\/(\d+)" aria-label="([^"]+)"/g)]
      .map(([, id, label]) => `${id} ${label}`);
    assertEquals(drawn.length, 16);
    assertEquals([drawn[0], drawn[8]], ["1 #1 in: queued", "62 #62 out: queued"]);
    assertStringIncludes(graph, `<a href="#parents"><text`);
    assertStringIncludes(graph, "and more, below");
    const listed = (text: string): number[] =>
      [...text.matchAll(/<td><a href="\/tasks\/(\d+)">#\1<\/a>/g)].map(([, id]) => Number(id));
    const seen = new Set(listed(first));
    assertEquals([listed(first).length, seen.size], [100, 100]);
    for (const name of ["parents", "children"]) {
      const next = new RegExp(`href="([^"]+)#${name}">Next ${name}<`).exec(first)![1]!;
      const more = await page(app, next.replaceAll("&amp;", "&"));
      assertStringIncludes(more, `>First ${name}<`);
      assert(!more.includes(`>Next ${name}<`), name);
      for (const id of listed(more)) seen.add(id);
    }
    assertEquals(seen.size, 130);
    const alone = await queue.enqueue({ type: "alone" });
    assert(!(await page(app, `/tasks/${alone.task.id}`)).includes('<svg class="graph'));
    await page(app, "/tasks/61?children_after=x&parents_from=-1");
  }));

Deno.test("a parent that was pruned is drawn without a link", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "t", runId: "gone" });
    await queue.enqueue({ type: "t", dependsOn: [1] });
    const [parent] = await queue.claim({ workerId: "w", types: ["t"] });
    await queue.complete(parent!);
    await queue.cancel(2);
    await queue.prune({ keep: 0, statuses: ["completed"] });
    const text = await page(app, "/tasks/2");
    assertMatch(text, /<g><rect[^>]*><\/rect><text[^>]*>#1 gone<\/text><text class="pruned"/);
    assert(!text.includes(`href="/tasks/1"`));
  }));

Deno.test("the more pages are open, the less often each is told that something has changed", async () => {
  for (const [open, leastMs] of [[2, 1000], [16, 2000]] as const) {
    const delays: number[] = [];
    const clock = {
      ...systemClock,
      setTimer: (_fire: () => void, delayMs: number): () => void => {
        delays.push(delayMs);
        return () => {};
      },
    };
    await withDashboard(async ({ app, queue }) => {
      const asked = Array.from({ length: open }, async () => await app.request("/live"));
      const readers = (await Promise.all(asked)).map(({ body }) => body!.getReader());
      for (const reader of readers) await reader.read(); // when to ask again
      const told = readers[0]!.read();
      await queue.enqueue({ type: "t" });
      assertStringIncludes(new TextDecoder().decode((await told).value), `data: "changed"`);
      const next = readers[0]!.read();
      await until(() => {
        const pauses = delays.filter((ms) => ms >= leastMs && ms <= Math.max(1000, 3 * leastMs));
        return Promise.resolve(pauses.length === 1);
      }, `${leastMs} or more`);
      for (const reader of readers) await reader.cancel();
      assertEquals((await next).done, true);
    }, { clock });
  }
});

Deno.test("hostile content is shown harmless and readable wherever it stands", () =>
  withDashboard(async ({ app, queue, logs }) => {
    await fillHostile(queue, logs);
    for (const path of HOSTILE_PAGES) {
      // a field and an address hold exactly what they stand for
      const text = (await page(app, path)).replaceAll(/ (?:value|href|name)="[^"]*"|\n/g, "");
      assert(!/<script>|<img|\u202e|\u200b|\p{Cc}/u.test(text), path);
      if (path !== "/storage") assertStringIncludes(text, "&lt;script&gt;", path);
      if (path !== "/storage") assertStringIncludes(text, "\\u202egnp\\u200b", path);
    }
    for (const part of ["payload", "result"]) {
      const raw = await app.request(`/tasks/4/${part}`);
      assertMatch(raw.headers.get("Content-Type")!, /^application\/json/);
      await raw.body?.cancel();
    }
  }, { handlers: HOSTILE_HANDLERS }));

Deno.test("ten thousand types make a small first page, too", () =>
  withDashboard(async ({ app, queue }) => {
    const name = (n: number): string => `type-${n}-of-a-shop.example.com`;
    await queue.enqueueBatch(Array.from({ length: 10_000 }, (_, n) => ({ type: name(n) })));
    for (const task of await queue.claim({ workerId: "w", types: [name(1), name(2)], limit: 2 })) {
      await queue.complete(task);
    }
    assertStringIncludes(await page(app, "/"), `${TYPES_MAX} of 10,000 types`);
    const bytes = await firstPageBytes(app);
    assert(bytes <= 60 * 1024, `the first page has ${bytes} bytes`);
    assertStringIncludes(await page(app, "/tasks"), "10,000 tasks");
  }));

Deno.test("a result and a line of a mebibyte make no long page", () =>
  withDashboard(async ({ app, queue, logs }) => {
    await queue.enqueue({ type: "big" });
    const [task] = await queue.claim({ workerId: "w", types: ["big"] });
    const text = "\u001b[1m<b>".repeat(80_000);
    logs.append(1, { at: new Date().toISOString(), level: "info", message: text, attempt: 1 });
    await queue.complete(task!, text);
    const shown = await page(app, "/tasks/1");
    assert(shown.length < 160 * 1024, String(shown.length));
    assertStringIncludes(shown, `href="/tasks/1/result"`);
  }));

Deno.test("a payload of a mebibyte is cut, and all of it is one link away", () =>
  withDashboard(async ({ app, queue }) => {
    const { task } = await queue.enqueue({ type: "big", payload: { text: "x".repeat(250_000) } });
    const text = await page(app, `/tasks/${task.id}`);
    assert(text.length < 40_000, String(text.length));
    assertStringIncludes(text, `href="/tasks/${task.id}/payload"`);
    const whole = await (await app.request(`/tasks/${task.id}/payload`)).json();
    assertEquals(whole.text.length, 250_000);
  }));

Deno.test("masked values never leave the server unless an admin asks", async () => {
  for (const scopes of [["read", "enqueue", "operate"], ["admin"]] as const) {
    const isAdmin = scopes[0] === "admin";
    await withDashboard(async ({ app, queue }) => {
      const secret = "hunter2-secret";
      const payload = { user: "a", deep: [{ API_KEY: secret }] };
      const { task } = await queue.enqueue({ type: "t", payload });
      const paths = ["", "/payload", "/again"].map((part) => `/tasks/${task.id}${part}`);
      for (const path of [...paths, "/tasks?q=hunter2"]) {
        const text = await (await app.request(path)).text();
        assert(!text.includes(secret), path);
      }
      assertEquals(rowsOf(await page(app, "/tasks?q=hunter2")), []);
      assertStringIncludes(await page(app, `/tasks/${task.id}`), MASK);
      for (const path of paths) {
        const text = await (await app.request(`${path}?unmask=1`)).text();
        assertEquals(text.includes(secret), isAdmin, path);
      }
    }, { access: () => ({ name: "me", scopes }) });
  }
});

Deno.test("under a prefix every link, form and asset stays below it", () =>
  withDashboard(async ({ queue }) => {
    await queue.enqueue({ type: "email" });
    const host = new Hono();
    host.route("/admin/queue", createDashboard({ queue, prefix: "/admin/queue" }));
    for (const path of ["", "/tasks", "/tasks/1"]) {
      const text = await page(host, `/admin/queue${path}`);
      const links = [...text.matchAll(/(?:href|src|action)="([^"#]+)/g)].map(([, to]) => to!);
      assert(links.length > 5);
      assertEquals(links.filter((to) => !/^\/admin\/queue(\/|$|\?)/.test(to)), []);
    }
    const moved = await host.request("/admin/queue/tasks/cancel", {
      method: "POST",
      body: new URLSearchParams({ id: "1", back: "/tasks/1" }),
    });
    assertEquals(moved.headers.get("Location"), "/admin/queue/tasks/1?did=cancelled&n=1");
  }));

Deno.test("what is not there is answered with 404 and advice", () =>
  withDashboard(async ({ app }) => {
    for (const path of ["/nothing", "/tasks/77", "/tasks/77/payload"]) {
      const response = await app.request(path);
      assertEquals(response.status, 404, path);
      assertStringIncludes(await response.text(), "That did not work");
    }
  }));

Deno.test("a tag leads from a task to all that have it, and to what is done to all of them", () =>
  withDashboard(async ({ app, queue }) => {
    const tag = "a&b <i>";
    await queue.enqueueBatch([
      { type: "email", tags: [tag, "z"] },
      { type: "email", tags: ["z"] },
      { type: "email", tags: [tag] },
      { type: "email" },
    ]);
    const [, link] = /<ul class="tags"><li><a href="([^"]+)">.*?a&amp;b &lt;i&gt;/.exec(
      await page(app, "/tasks/1"),
    )!;
    const text = await page(app, link!.replaceAll("&amp;", "&"));
    assertEquals(rowsOf(text).length, 2);
    assertStringIncludes(text, 'name="tag" value="a&amp;b &lt;i&gt;"');
    assertEquals(rowsOf(await page(app, "/tasks?tag=z&status=queued")).length, 2);
    assertEquals(rowsOf(await page(app, "/tasks?tag=z&q=email")).length, 2);
    assertEquals((await page(app, "/tasks/4")).includes('class="tags"'), false);
  }));

Deno.test("failures are grouped by type and by message without what differs", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "email", maxAttempts: 1 })));
    for (
      const [n, task] of (await queue.claim({ workerId: "w", types: ["email"], limit: 5 }))
        .entries()
    ) {
      const message = n < 4 ? `no answer from 10.0.0.${n} for "user-${n}"` : "disk full";
      await queue.fail(task, new Error(message));
    }
    const text = await page(app, "/failures");
    assertMatch(text, /data-say="2 kinds of failures"/);
    assertMatch(
      text,
      /<td>4<\/td>.*no answer from &lt;n&gt; for &lt;text&gt;.*<td>1<\/td>.*disk full/s,
    );
  }));

Deno.test("workers are shown with their slots and what they run", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.heartbeat({
      workerId: "w1",
      types: ["email"],
      concurrency: 4,
      capabilities: { gpu: "a100" },
    });
    await queue.enqueue({ type: "email" });
    await queue.claim({ workerId: "w1", types: ["email"] });
    const text = await page(app, "/workers");
    for (const part of ["w1", "active", "1 of 4", `href="/tasks/1"`, "a100", "<td>unknown</td>"]) {
      assertStringIncludes(text, part);
    }
    await queue.heartbeat({
      ...{ workerId: "w2", types: [], concurrency: 1, capabilities: {} },
      ...{ version: "0.9.<b>", runtime: "Deno/2.9.6" },
    });
    const both = await page(createDashboard({ queue }), "/workers");
    assertMatch(both, /0\.9\.&lt;b&gt;.*on .*Deno\/2\.9\.6/);
  }));

Deno.test("of a queue on a database the listener, dead rows and the oldest snapshot are shown", () =>
  withDashboard(async ({ queue }) => {
    const snapshot = {
      kind: "session",
      name: "77",
      program: "<psql>",
      state: "idle in transaction",
    };
    for (const oldestSnapshot of [null, { ...snapshot, ageMs: 120_000 }]) {
      const state = {
        location: "db:5432/x schema <q>",
        deadRows: { table: "live", count: 1234 },
        oldestSnapshot,
        isListening: oldestSnapshot === null,
      };
      const app = createDashboard({ queue: asOnDatabase(queue, state) });
      const text = await page(app, "/storage");
      assertStringIncludes(text, "schema &lt;q&gt;");
      assertStringIncludes(text, "1,234, most of all tables in &quot;live&quot;");
      const [listener, held] = oldestSnapshot === null
        ? ["hears what other processes change", "none that holds up vacuum"]
        : ["hears nothing", "for 2 min, by session 77 (&lt;psql&gt;, idle in transaction)"];
      assertStringIncludes(text, listener);
      assertStringIncludes(text, held);
      assert(!text.includes("Checkpoint now"));
    }
  }));

/** The queue as one on a database would be. */
function asOnDatabase(queue: TaskQueue, state: unknown): TaskQueue {
  const databaseState = (): Promise<unknown> => Promise.resolve(state);
  return new Proxy(overridden(queue, { databaseState } as Partial<TaskQueue>), {
    has: (target, name) => name === "databaseState" || name !== "storageStats" && name in target,
  });
}

Deno.test("schedules are shown in words with their next five instants", () =>
  withDashboard(async ({ app, queue }) => {
    await queue.addSchedule({
      id: "nightly",
      type: "report",
      cron: "30 6 * * 1-5",
      timeZone: "Europe/Vienna",
    });
    await queue.addSchedule({ id: "odd", type: "report", cron: "1,7 3-5 * 2 *" });
    const text = await page(app, "/schedules");
    assertStringIncludes(text, "Monday to Friday at 06:30 (Europe/Vienna)");
    assertStringIncludes(text, "1,7 3-5 * 2 *");
    assertEquals([...text.matchAll(/<time datetime="([^"]+T0[45]:30:00.000Z)"/g)].length, 5);
  }));

Deno.test("of each schedule the last five runs are shown, with their states and links", () =>
  withDashboard(async ({ queue }) => {
    await queue.addSchedule({ id: "nightly", type: "report", cron: "0 3 * * *" });
    for (let day = 10; day <= 16; day++) {
      const runId = `nightly@2026-01-${day}T03:00:00.000Z`;
      const { task } = await queue.enqueue({ type: "report", runId });
      if (day === 15) await queue.cancel(task.id);
    }
    await queue.enqueue({ type: "report", runId: "nightly2@2026-01-20T03:00:00.000Z" });
    const text = await page(createDashboard({ queue }), "/schedules");
    assertEquals(
      [...text.matchAll(/href="\/tasks\/(\d+)"/g)].map(([, id]) => id),
      ["7", "6", "5", "4", "3"],
    );
    assertEquals([...text.matchAll(/<\/span>\s*(queued|cancelled)/g)].map(([, word]) => word), [
      ...["queued", "cancelled", "queued", "queued", "queued"],
    ]);
    assertStringIncludes(text, `datetime="2026-01-16T03:00:00.000Z"`);
  }));

Deno.test("a page of schedules behind what is no id is refused as a wrong request", () =>
  withDashboard(async ({ app }) => {
    for (const after of ["%00", "z".repeat(9999)]) {
      const response = await app.request(`/schedules?after=${after}`);
      assertEquals(response.status, 422);
      await response.text();
    }
  }));

/** The tasks in the rows of a list. */
function rowsOf(text: string): number[] {
  return [...text.matchAll(/data-task="(\d+)"/g)].map(([, id]) => Number(id));
}
