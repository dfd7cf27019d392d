/** @jsxImportSource hono/jsx */
/**
 * Signing in with a token, and out.
 *
 * The cookie is HttpOnly and SameSite=Strict, and Secure where the page came by https; it ends with the session.
 */
import type { Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { type Services, viewerOf } from "./options.ts";
import { pageText } from "./pages/layout.tsx";
import { SignInForm } from "./pages/small.tsx";
import { SESSION_MS, type Sessions } from "./sessions.ts";
import { fieldsOf, placeBelow } from "./forms.ts";

/** The name of the cookie. */
export const SESSION_COOKIE = "holdfast_session";

/** Adds the page and its actions, where tokens are used. */
export function addSignIn(app: Hono, services: Services): void {
  const { sessions } = services;
  if (sessions === undefined) return;
  app.get("/sign-in", (c) => signInPage(c, services, { next: c.req.query("next") ?? "/" }));
  app.post("/sign-in", (c) => signIn(c, services, sessions));
  app.post("/sign-out", async (c) => {
    const secret = getCookie(c, SESSION_COOKIE);
    if (secret !== undefined) await sessions.end(secret);
    deleteCookie(c, SESSION_COOKIE, { path: services.prefix || "/" });
    return c.redirect(`${services.prefix}/sign-in`, 303);
  });
}

async function signIn(c: Context, services: Services, sessions: Sessions): Promise<Response> {
  const { token = "", next = "/" } = await fieldsOf(c);
  const outcome = await sessions.signIn(token.trim());
  if (outcome === "busy") {
    c.header("Retry-After", "5");
    const problem = "Too many wrong tokens were given just now. Try again in a few seconds.";
    return signInPage(c, services, { next, problem, status: 429 });
  }
  if (outcome === "wrong") {
    const problem = "This token is not known here. Check that all of it was copied.";
    return signInPage(c, services, { next, problem, status: 401 });
  }
  setCookie(c, SESSION_COOKIE, outcome.secret, {
    path: services.prefix || "/",
    httpOnly: true,
    sameSite: "Strict",
    secure: isSecure(c),
    maxAge: SESSION_MS / 1000,
  });
  return c.redirect(placeBelow(services.prefix, next), 303);
}

function isSecure(c: Context): boolean {
  const forwarded = c.req.header("X-Forwarded-Proto")?.split(",")[0]?.trim();
  return (forwarded ?? new URL(c.req.url).protocol.replace(":", "")) === "https";
}

function signInPage(
  c: Context,
  services: Services,
  { next, problem, status = 200 }: {
    readonly next: string;
    readonly problem?: string;
    readonly status?: 200 | 401 | 429;
  },
): Response {
  const viewer = viewerOf(c, services);
  const children = <SignInForm viewer={viewer} problem={problem} next={next} />;
  return c.html(pageText({ title: "Sign in", viewer, isBare: true, children }), status);
}
