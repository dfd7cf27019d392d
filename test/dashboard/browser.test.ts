/**
 * The dashboard in a real Chromium: a tour of all pages and actions, the same without a script and by keys alone, no violation of its
 * policy, no error on the console, nothing that axe-core complains of, in light and dark and as narrow as a phone.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { createDashboard } from "../../dashboard/app.tsx";
import { createToken, parseTokens, type TokenRecord } from "../../server/app.ts";
import { HandlerRegistry, MemoryLogStore, openQueue, type TaskQueue } from "../../src/mod.ts";
import { fillHostile, HOSTILE_HANDLERS, HOSTILE_PAGES } from "./hostile.ts";
import { type Browser, startBrowser, whyNoBrowser } from "../support/browser.ts";

const why = whyNoBrowser();

/** A dashboard of a queue with something of everything, served, and a browser. */
interface Scene {
  readonly browser: Browser;
  readonly queue: TaskQueue;
  readonly url: string;
}

function browserTest(
  name: string,
  test: (scene: Scene) => Promise<void>,
  setting: Setting = {},
): void {
  const said = why === undefined ? name : `${name} (skipped: ${why})`;
  Deno.test({ name: said, ignore: why !== undefined, fn: () => inScene(test, setting) });
}

/** What differs from the usual scene. */
interface Setting {
  readonly tokens?: TokenRecord[];
  readonly fill?: (queue: TaskQueue, logs: MemoryLogStore) => Promise<void>;
  readonly handlers?: HandlerRegistry;
}

/** The module of the usual scene. */
const EMAIL = new HandlerRegistry()
  .register("email", () => null, { payload: z.object({ to: z.email() }) });

async function inScene(
  test: (scene: Scene) => Promise<void>,
  { tokens, fill: fillQueue = fill, handlers = EMAIL }: Setting,
): Promise<void> {
  const queue = await openQueue({ memory: true });
  const logs = new MemoryLogStore();
  await fillQueue(queue, logs);
  const closing = new AbortController();
  const dashboard = createDashboard({ queue, logs, handlers, tokens, closing: closing.signal });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => dashboard.fetch(request),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  try {
    await using browser = startBrowser();
    await test({ browser, queue, url });
  } finally {
    closing.abort();
    await server.shutdown();
    await queue.close();
  }
}

/** Tasks 1 to 5 by status, a child of one, a schedule, a worker, a pause. */
async function fill(queue: TaskQueue, logs: MemoryLogStore): Promise<void> {
  const payload = { to: "a@example.com", api_key: "k-123", list: [1, true, null] };
  await queue.enqueueBatch(
    Array.from({ length: 5 }, () => ({ type: "email", payload, maxAttempts: 1 })),
  );
  const leaseDurationMs = 3_600_000; // longer than any tour
  const leased = await queue.claim({
    ...{ workerId: "w1", types: ["email"], limit: 3, leaseDurationMs },
  });
  await queue.complete(leased[0]!, { sent: true });
  await queue.fail(leased[1]!, new Error(`no answer from 10.0.0.1`));
  await queue.cancel(5);
  logs.append(3, {
    at: new Date().toISOString(),
    level: "info",
    message: "on its way",
    attempt: 1,
  });
  await queue.heartbeat({ workerId: "w1", types: ["email"], concurrency: 4, capabilities: {} });
  await queue.enqueue({ type: "report", dependsOn: [4] });
  await queue.addSchedule({ id: "nightly", type: "report", cron: "30 6 * * *" });
  await queue.pause({ type: "report" }, { by: "me", reason: "month's end" });
}

const PAGES = [
  ...[
    "/",
    "/tasks",
    "/tasks?status=failed",
    "/tasks/1",
    "/tasks/2",
    "/tasks/4",
    "/tasks/6",
    "/tasks/all?action=cancel",
    "/tasks/all?action=reschedule",
    "/tasks/chosen?action=set_priority&id=4&id=6",
    "/tasks/chosen?action=remove&id=1&id=2",
  ],
  ...[
    "/tasks/1/again?unmask=1",
    "/tasks/4/edit",
    "/tasks/4/replace?unmask=1",
    "/tasks/1/remove",
    "/failures",
    "/workers",
    "/schedules",
    "/schedules/remove?id=nightly",
  ],
  ...["/storage", "/prune?days=30", "/run", "/run?module=email", "/nothing"],
];

browserTest(
  "every page holds to its policy and to axe-core, light, dark and narrow",
  async ({ browser, url }) => {
    const looks = [
      { colorScheme: "light", viewport: { width: 1200, height: 800 } },
      { colorScheme: "dark", reducedMotion: "reduce", viewport: { width: 360, height: 740 } },
    ];
    for (const look of looks) {
      await browser.do("open", look);
      for (const path of PAGES) {
        const status = await browser.do("goto", url + path);
        assertEquals(status, path === "/nothing" ? 404 : 200, path);
        assertEquals(await browser.do("axe"), [], `${path} ${look.colorScheme}`);
        const width = await browser.do<number>("evaluate", "document.documentElement.scrollWidth");
        assert(width <= look.viewport.width, `${path} is ${width} wide`);
      }
      const problems = await browser.do<string[]>("problems");
      assertEquals(problems.filter((each) => !each.includes("404")), []);
    }
  },
);

/** How somebody uses a page. */
interface Hands {
  click(selector: string): Promise<void>;
  check(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  /** Clicks, and waits for the page that says what was done. */
  submit(selector: string): Promise<void>;
}

const TABS_MAX = 300;

/** By a pointer; or by keys alone: from element to element by the tabulator until the one that is meant has the focus. */
function handsOf(browser: Browser, byKeys: boolean): Hands {
  const reach = async (selector: string): Promise<void> => {
    const text = /^text=(.*)$/.exec(selector)?.[1];
    const isMeant = text === undefined
      ? `document.activeElement.matches(${JSON.stringify(selector)})`
      : `document.activeElement.textContent.trim() === ${JSON.stringify(text)}`;
    for (let tabs = 0; !await browser.do("evaluate", isMeant); tabs++) {
      assert(tabs < TABS_MAX, `${selector} is not reached by the tabulator`);
      await browser.do("press", "Tab");
    }
  };
  const at = (key: string) => async (selector: string): Promise<void> => {
    await reach(selector);
    await browser.do("press", key);
  };
  const pointer: Omit<Hands, "submit"> = {
    click: (selector) => browser.do("click", selector),
    check: (selector) => browser.do("check", selector),
    fill: (selector, text) => browser.do("fill", selector, text),
  };
  const keys: Omit<Hands, "submit"> = {
    click: at("Enter"),
    check: at("Space"),
    fill: async (selector, text) => {
      await at("Control+A")(selector);
      await browser.do("type", text);
    },
  };
  const hands = byKeys ? keys : pointer;
  const submit = async (selector: string): Promise<void> => {
    await hands.click(selector);
    await browser.do("waitUrl", "did=");
  };
  return { ...hands, submit };
}

const WAYS = [
  { how: "with a script", javaScriptEnabled: true, byKeys: false },
  { how: "without a script", javaScriptEnabled: false, byKeys: false },
  { how: "by keys alone", javaScriptEnabled: true, byKeys: true },
];

for (const { how, javaScriptEnabled, byKeys } of WAYS) {
  browserTest(
    `every action does what it says, ${how}`,
    async ({ browser, queue, url }) => {
      const statusOf = async (id: number): Promise<string> => (await queue.get(id))!.status;
      const hands = handsOf(browser, byKeys);
      const { submit } = hands;
      await browser.do("open", { javaScriptEnabled });
      await browser.do("goto", `${url}/tasks/2`);
      assertStringIncludes(await browser.do("text", "main"), "failed");
      await submit(`form[action="/tasks/retry"] button`);
      assertEquals(await statusOf(2), "queued");
      await browser.do("goto", `${url}/tasks/2`);
      await submit(`form[action="/tasks/cancel"] button`);
      assertEquals(await statusOf(2), "cancelled");

      await browser.do("goto", `${url}/tasks`);
      await hands.check(`input[value="4"]`);
      await submit(`button[value=cancel]`);
      assertEquals([await statusOf(4), await statusOf(3)], ["cancelled", "leased"]);

      await browser.do("goto", `${url}/tasks?status=cancelled`);
      await hands.click("text=retry…");
      await browser.do("wait", "text=Retry 3 tasks");
      await submit("form[action='/tasks/all'] button");
      assertEquals(await queue.count({ status: "cancelled" }), 0);

      await changeTasks({ browser, queue, url }, hands);

      await browser.do("goto", url);
      await submit("form[action='/resume'] button");
      assertEquals(await queue.listLimits(), []);
      await browser.do("goto", url);
      await hands.fill("input[name=reason]", "lunch");
      await submit("form[action='/pause'] button");
      assertEquals((await queue.listLimits())[0]!.paused!.reason, "lunch");

      await browser.do("goto", `${url}/run?module=email`);
      await hands.fill("[name='p:to']", "b@example.com");
      await submit("form[action='/run'] button");
      assertEquals((await queue.get(8))!.payload, { to: "b@example.com" });
      await browser.do("goto", `${url}/tasks/8/again`);
      await hands.fill("textarea", `{"to":"c@example.com"}`);
      await submit("form[action='/tasks/new'] button");
      assertEquals((await queue.get(9))!.payload, { to: "c@example.com" });

      for (
        const [path, isThere] of [["pause", true], ["resume", true], ["run", true], [
          "remove",
          false,
        ]] as const
      ) {
        await browser.do(
          "goto",
          isThere ? `${url}/schedules` : `${url}/schedules/remove?id=nightly`,
        );
        await submit(`form[action='/schedules/${path}'] button`);
        assertEquals((await queue.getSchedule("nightly")) !== undefined, isThere);
      }
      await browser.do("goto", `${url}/storage`);
      await submit("form[action='/checkpoint'] button");
      await browser.do("goto", `${url}/prune?days=0`);
      const ended = await queue.count({ status: "completed" });
      await submit("form[action='/prune'] button");
      assertEquals([ended, await queue.count({ status: "completed" })], [1, 0]);
      assertEquals(await browser.do("problems"), []);
    },
  );
}

/** One task, a selection and all that match are changed and deleted; task 5 is replaced by a task 7 and deleted. */
async function changeTasks(
  { browser, queue, url }: Scene,
  hands: Hands,
): Promise<void> {
  const { submit } = hands;
  await browser.do("goto", `${url}/tasks/5`);
  await hands.click("text=Priority, time and more…");
  await browser.do("waitUrl", "/edit");
  await hands.fill("input[name=priority]", "7");
  await hands.fill("input[name=run_after]", "2126-01-31T12:00Z");
  await submit("form[action='/tasks/edit'] button");
  const edited = (await queue.get(5))!;
  assertEquals([edited.priority, edited.runAfter.getUTCFullYear()], [7, 2126]);
  await browser.do("goto", `${url}/tasks/5`);
  await submit("form[action='/tasks/run_now'] button");
  assert((await queue.get(5))!.runAfter.getUTCFullYear() < 2126);
  await browser.do("goto", `${url}/tasks/5/replace?unmask=1`);
  await hands.fill("textarea", `{"to":"d@example.com"}`);
  await submit("form[action='/tasks/replace'] button");
  assertEquals((await queue.get(7))!.payload, { to: "d@example.com" });
  await browser.do("goto", `${url}/tasks/5/remove`);
  await submit("form[action='/tasks/remove'] button");
  assertEquals(await queue.get(5), undefined);

  await browser.do("goto", `${url}/tasks`);
  await hands.check(`input[value="4"]`);
  await hands.check(`input[value="7"]`);
  await hands.click("button[value=set_priority]");
  await browser.do("wait", "text=Set the priority of 2 tasks");
  await hands.fill("input[name=priority]", "9");
  await submit("form[action='/tasks/selected'] button");
  assertEquals([(await queue.get(4))!.priority, (await queue.get(7))!.priority], [9, 9]);
  await browser.do("goto", `${url}/tasks?type=email`);
  await hands.click("text=time…");
  await browser.do("wait", "text=Set the time of");
  await hands.fill("input[name=run_after]", "2126-01-31T12:00Z");
  await submit("form[action='/tasks/all'] button");
  assertEquals((await queue.get(4))!.runAfter.getUTCFullYear(), 2126);
  await queue.remove(7);
}

browserTest(
  "by keys alone a task is found, opened and cancelled",
  async ({ browser, queue, url }) => {
    await browser.do("open", {});
    await browser.do("goto", url);
    await browser.do("press", "?");
    await browser.do("wait", "dialog[open]");
    await browser.do("press", "Escape");
    await browser.do("press", "/");
    await browser.do("waitUrl", "/tasks#q");
    await browser.do("type", "#4");
    await browser.do("press", "Enter");
    await browser.do("waitUrl", "/tasks/4");
    await browser.do("goto", `${url}/tasks?status=queued`);
    for (const key of ["j", "j", "k", "j"]) await browser.do("press", key);
    assertEquals(await browser.do("evaluate", "document.querySelector('tr.at').dataset.task"), "4");
    await browser.do("press", "x");
    assertEquals(await browser.do("count", "input[name=id]:checked"), 1);
    await browser.do("press", "Enter");
    await browser.do("waitUrl", "/tasks/4");
    await browser.do(
      "evaluate",
      "document.querySelector(\"form[action='/tasks/cancel'] button\").focus()",
    );
    await browser.do("press", "Enter");
    await browser.do("waitUrl", "did=cancelled");
    assertEquals((await queue.get(4))!.status, "cancelled");
    assertEquals(await browser.do("problems"), []);
  },
);

browserTest(
  "hostile content in every field is text to a browser, and no wider than a phone",
  async ({ browser, url }) => {
    const seen = `({
      hit: typeof hit,
      elements: document.querySelectorAll("body img, body script, body style, main b:not(.cards b)").length,
      addresses: [...document.querySelectorAll("a, form, button")].map((each) =>
        each.getAttribute("href") ?? each.getAttribute("action") ?? each.getAttribute("formaction") ?? "")
        .filter((to) => /^(?!https?:)\\w+:/.test(to)).length,
      isTurned: /[\\u202a-\\u202e\\u2066-\\u2069\\u200b-\\u200f\\u001b\\u0007]/.test(document.body.innerText),
      isWide: document.documentElement.scrollWidth > 360,
    })`;
    const harmless = {
      hit: "undefined",
      elements: 0,
      addresses: 0,
      isTurned: false,
      isWide: false,
    };
    await browser.do("open", { viewport: { width: 360, height: 740 } });
    for (const path of HOSTILE_PAGES) {
      assertEquals(await browser.do("goto", url + path), 200, path);
      assertEquals(await browser.do("evaluate", seen), harmless, path);
      assertEquals(await browser.do("axe"), [], path);
    }
    assertEquals(await browser.do("problems"), []);
  },
  { fill: fillHostile, handlers: HOSTILE_HANDLERS },
);

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "with" : "without";
  browserTest(
    `the graph of parents and children is clicked through, ${how} a script`,
    async ({ browser, url }) => {
      await browser.do("open", { javaScriptEnabled });
      await browser.do("goto", `${url}/tasks/6`);
      await browser.do("click", "svg.graph a[href='/tasks/4']");
      await browser.do("waitUrl", "/tasks/4");
      await browser.do("click", "svg.graph a[href='/tasks/6']");
      await browser.do("waitUrl", "/tasks/6");
      assertEquals(await browser.do("count", "svg.graph a"), 1);
      assertEquals(await browser.do("problems"), []);
    },
  );
}

browserTest(
  "an open page follows the queue and keeps the focus",
  async ({ browser, queue, url }) => {
    await browser.do("open", {});
    await browser.do("goto", `${url}/tasks/4`);
    await browser.do("evaluate", "document.querySelector('main a').focus()");
    const focused = await browser.do("evaluate", "document.activeElement.textContent");
    await queue.cancel(4);
    await browser.do("wait", "form[action='/tasks/retry']");
    assertEquals(await browser.do("evaluate", "document.activeElement.textContent"), focused);
    assertEquals(await browser.do("text", "#said"), "Task 4 is cancelled");
    assertEquals(await browser.do("problems"), []);
  },
);

const made = await createToken("reader", ["read"]);

browserTest("a reader signs in, sees no button, and signs out", async ({ browser, url }) => {
  await browser.do("open", {});
  await browser.do("goto", `${url}/tasks/4`);
  assertEquals(await browser.do("axe"), []);
  await browser.do("fill", "input[type=password]", made.token);
  await browser.do("click", "main button");
  await browser.do("waitUrl", "/tasks/4");
  assertEquals(await browser.do("count", "main button"), 0);
  assertEquals(await browser.do("evaluate", "document.cookie"), "");
  await browser.do("click", "header button");
  await browser.do("waitUrl", "/sign-in");
  assertEquals(await browser.do("problems"), []);
}, { tokens: await parseTokens(made.line) });
