/**
 * Signing in to the dashboard with a token: what lets in, for how long, and what a guesser meets.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { REFUSALS_MAX, SESSION_MS } from "../../dashboard/sessions.ts";
import type { Hono } from "hono";
import { createToken, parseTokens, type Scope, type TokenRecord } from "../../server/app.ts";
import { systemClock } from "../../src/mod.ts";
import { page, send, withDashboard } from "./fixture.ts";

/** A token of these scopes, and what the dashboard knows of it. */
async function tokenOf(
  scopes: readonly Scope[],
): Promise<{ readonly token: string; readonly tokens: TokenRecord[] }> {
  const { token, line } = await createToken("me", scopes);
  return { token, tokens: await parseTokens(line) };
}

/** The cookie of a new session, as a browser sends it. */
async function cookieOf(app: Hono, token: string): Promise<string> {
  const response = await send(app, "/sign-in", { token, next: "/tasks" });
  assertEquals([response.status, response.headers.get("Location")], [303, "/tasks"]);
  return response.headers.get("Set-Cookie")!.split(";")[0]!;
}

Deno.test("without a session each page leads to the sign-in and then back", async () => {
  const { token, tokens } = await tokenOf(["read"]);
  await withDashboard(async ({ app }) => {
    for (const path of ["/", "/tasks?type=a", "/live"]) {
      const response = await app.request(path);
      const to = new URL(response.headers.get("Location")!, "http://localhost");
      assertEquals([response.status, to.pathname, to.searchParams.get("next")], [
        303,
        "/sign-in",
        path,
      ]);
    }
    assertStringIncludes(await page(app, "/sign-in?next=/tasks"), `name="next" value="/tasks"`);
    const Cookie = await cookieOf(app, token);
    const text = await page(app, "/tasks", { headers: { Cookie } });
    assertStringIncludes(text, "Sign out");
  }, { tokens });
});

Deno.test("the cookie is HttpOnly, SameSite=Strict, Secure by https, and holds no token", async () => {
  const { token, tokens } = await tokenOf(["read"]);
  await withDashboard(async ({ app }) => {
    for (const url of ["http://localhost/sign-in", "https://localhost/sign-in"]) {
      const Origin = new URL(url).origin;
      const response = await send(app, url, { token }, { Origin });
      const cookie = response.headers.get("Set-Cookie")!;
      assertMatch(cookie, /HttpOnly/);
      assertMatch(cookie, /SameSite=Strict/);
      assertMatch(cookie, /Max-Age=43200/);
      assertEquals(/Secure/.test(cookie), url.startsWith("https:"));
      assert(!cookie.includes(token));
    }
  }, { tokens });
});

Deno.test("a session ends by signing out, and by itself", async () => {
  const { token, tokens } = await tokenOf(["read"]);
  let nowMs = Date.now();
  const clock = { ...systemClock, nowMs: () => nowMs };
  await withDashboard(async ({ app }) => {
    const [first, second] = [await cookieOf(app, token), await cookieOf(app, token)];
    const statusOf = async (Cookie: string): Promise<number> => {
      const response = await app.request("/tasks", { headers: { Cookie } });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals([await statusOf(first), await statusOf(second)], [200, 200]);
    await (await send(app, "/sign-out", {}, { Cookie: first })).body?.cancel();
    assertEquals([await statusOf(first), await statusOf(second)], [303, 200]);
    nowMs += SESSION_MS;
    assertEquals(await statusOf(second), 303);
    assertEquals(await statusOf("holdfast_session=guess"), 303);
  }, { tokens, clock });
});

Deno.test("a wrong token is answered a second later, and few such answers may wait at once", async () => {
  const { token, tokens } = await tokenOf(["read"]);
  const delays: number[] = [];
  const fires: (() => void)[] = [];
  const clock = {
    ...systemClock,
    setTimer: (fire: () => void, delayMs: number) => {
      delays.push(delayMs);
      fires.push(fire);
      return () => {};
    },
  };
  await withDashboard(async ({ app }) => {
    const guess = (n: number): Promise<Response> => send(app, "/sign-in", { token: `guess-${n}` });
    const waiting = Array.from({ length: REFUSALS_MAX }, (_, n) => guess(n));
    while (delays.filter((ms) => ms === 1000).length < REFUSALS_MAX) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const busy = await send(app, "/sign-in", { token });
    assertEquals([busy.status, busy.headers.get("Retry-After")], [429, "5"]);
    await busy.body?.cancel();
    fires.forEach((fire) => fire());
    for (const response of await Promise.all(waiting)) {
      assertEquals(response.status, 401);
      assertStringIncludes(await response.text(), "not known here");
    }
    await cookieOf(app, token);
  }, { tokens, clock });
});

Deno.test("each action needs its scope, and a token in the header is known, too", async () => {
  const { token, tokens } = await tokenOf(["read"]);
  await withDashboard(async ({ app, queue }) => {
    await queue.enqueue({ type: "email" });
    const Cookie = await cookieOf(app, token);
    const refused = await send(app, "/tasks/cancel", { id: "1" }, { Cookie });
    assertEquals(refused.status, 403);
    assertStringIncludes(await refused.text(), "scope operate is needed");
    const headers = { Authorization: `Bearer ${token}` };
    assertStringIncludes(await page(app, "/tasks/1", { headers }), "queued");
    const unknown = await app.request("/", { headers: { Authorization: "Bearer nothing" } });
    assertEquals(unknown.status, 303);
  }, { tokens });
});
