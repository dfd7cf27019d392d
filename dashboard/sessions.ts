/**
 * Sessions: who signed in by the page for tokens, known by a cookie.
 *
 * The cookie holds 256 random bits and not the token. Only their hash is kept here, in memory, so sessions end with the process, and
 * at the latest after `SESSION_MS`. An answer to a wrong token waits a second, and few may wait at once, so that guessing is slow.
 */
import { type Clock, sleep, toBase64Url, toHex } from "../src/core.ts";
import type { Principal } from "../server/http/access.ts";
import { recogniseToken, sha256, type TokenRecord } from "../server/http/tokens.ts";

/** How long a session lasts, in milliseconds. */
export const SESSION_MS = 12 * 3_600_000;

/** How many sessions there may be; then the oldest ends. */
const SESSIONS_MAX = 1000;

/** How long the answer to a wrong token waits, in milliseconds. */
export const REFUSAL_MS = 1000;

/** How many such answers may wait at once; further tokens are not looked at. */
export const REFUSALS_MAX = 20;

interface Session {
  readonly principal: Principal;
  readonly endsAtMs: number;
}

/** The answer to a token: the secret of a new session, `wrong`, or `busy` when too many wrong ones were given. */
export type SignIn = { readonly secret: string } | "wrong" | "busy";

/** The sessions of one dashboard. */
export class Sessions {
  readonly #tokens: readonly TokenRecord[];
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();
  #refusals = 0;

  constructor(
    { tokens, clock }: { readonly tokens: readonly TokenRecord[]; readonly clock: Clock },
  ) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** Begins a session for a known token. */
  async signIn(token: string): Promise<SignIn> {
    if (this.#refusals >= REFUSALS_MAX) return "busy";
    this.#refusals++;
    try {
      const principal = await this.bearer(token);
      if (principal !== undefined) return { secret: await this.#begin(principal) };
      await sleep(this.#clock, REFUSAL_MS);
      return "wrong";
    } finally {
      this.#refusals--;
    }
  }

  /** Whom a token stands for. */
  bearer(token: string): Promise<Principal | undefined> {
    return recogniseToken(this.#tokens, token);
  }

  /** Whose session a secret stands for. */
  async find(secret: string): Promise<Principal | undefined> {
    const name = await nameOf(secret);
    const session = this.#sessions.get(name);
    if (session !== undefined && session.endsAtMs > this.#clock.nowMs()) return session.principal;
    this.#sessions.delete(name);
    return undefined;
  }

  /** Ends a session; harmless when there is none. */
  async end(secret: string): Promise<void> {
    this.#sessions.delete(await nameOf(secret));
  }

  async #begin(principal: Principal): Promise<string> {
    const random = crypto.getRandomValues(new Uint8Array(32));
    const secret = toBase64Url(random);
    const endsAtMs = this.#clock.nowMs() + SESSION_MS;
    this.#sessions.set(await nameOf(secret), { principal, endsAtMs });
    if (this.#sessions.size > SESSIONS_MAX) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
    return secret;
  }
}

async function nameOf(secret: string): Promise<string> {
  return toHex(await sha256(secret));
}
