/**
 * The shop's own sign-in: names and passwords, and a session in a cookie. Holdfast's API asks it, too.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";

const COOKIE = "shop";

/** Customers, and who is signed in. Sessions end with the process. */
export class SignIn {
  readonly #passwords: ReadonlyMap<string, string>;
  readonly #sessions = new Map<string, string>();

  /** @param passwords By customer. A real shop keeps slow hashes of them. */
  constructor(passwords: Readonly<Record<string, string>>) {
    this.#passwords = new Map(Object.entries(passwords));
  }

  /** Begins a session, if the password is the customer's. */
  async enter(c: Context, customer: string, password: string): Promise<boolean> {
    const right = this.#passwords.get(customer);
    if (right === undefined || !(await isSame(right, password))) return false;
    const session = crypto.randomUUID();
    this.#sessions.set(session, customer);
    setCookie(c, COOKIE, session, { httpOnly: true, sameSite: "Strict", path: "/" });
    return true;
  }

  /** Who asks; `undefined` for a stranger. */
  customerOf(c: Context): string | undefined {
    return this.#sessions.get(getCookie(c, COOKIE) ?? "");
  }

  /** Ends the session. */
  leave(c: Context): void {
    this.#sessions.delete(getCookie(c, COOKIE) ?? "");
    deleteCookie(c, COOKIE, { path: "/" });
  }
}

/** Compared by their hashes, so that the time says nothing of the password. */
async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all(
    [one, other].map(async (text) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
    ),
  );
  return a!.every((byte, n) => byte === b![n]);
}
