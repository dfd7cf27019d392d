/**
 * Bearer tokens: made, written down as hashes, and recognised.
 *
 * A token is 256 random bits, so a plain SHA-256 of it cannot be guessed back. Only hashes are kept in memory and in files,
 * and a presented token's hash is compared with all of them, each in full, so timing tells nothing.
 */
import { fromHex, toBase64Url, toHex } from "../../src/core.ts";
import type { Context } from "hono";
import { type Access, type Principal, type Scope, SCOPES } from "./access.ts";

/** A token that may be presented. */
export interface TokenRecord extends Principal {
  /** The SHA-256 of the token, 32 bytes. */
  readonly hash: Uint8Array;
}

/** A token that was made just now. */
export interface NewToken {
  /** What the caller presents; show it once, it is kept nowhere. */
  readonly token: string;
  /** The line for the tokens file. */
  readonly line: string;
}

const TOKEN_BYTES = 32;
const HASH_PREFIX = "sha256:";
/** Fewer characters than this in a plain token could be guessed. */
const PLAIN_TOKEN_MIN_LENGTH = 20;
const TOKENS_MAX = 1000;

/** What can stand behind `Bearer`: https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
const TOKEN_PATTERN = /^[\w.~+/=-]{1,500}$/;

/**
 * Makes a token for `name` (1–100 letters, digits, `.`, `_`, `-`) with at least one scope.
 *
 * ```ts ignore
 * const { token, line } = await createToken("ci", ["read", "enqueue"]);
 * ```
 *
 * @throws TypeError when the name or a scope is not allowed.
 */
export async function createToken(name: string, scopes: readonly Scope[]): Promise<NewToken> {
  checkTokenName(name);
  const checked = checkScopes(scopes.join(","));
  const random = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  const token = `hf_${toBase64Url(random)}`;
  const hash = toHex(await sha256(token));
  return { token, line: `${name} ${checked.join(",")} ${HASH_PREFIX}${hash}` };
}

/** How `parseTokens` reads. */
export interface ParseTokensOptions {
  /** Whether a token may stand there itself instead of its hash: in the environment, not in a file. Default false. */
  readonly allowPlain?: boolean;
}

/**
 * Reads tokens: one a line (or between `;`), as `name scope,scope sha256:hex`. Blank lines and lines that begin with `#`
 * say nothing.
 *
 * @throws TypeError that names the line when it is not like that; no secret is repeated in it.
 */
export async function parseTokens(
  text: string,
  { allowPlain = false }: ParseTokensOptions = {},
): Promise<TokenRecord[]> {
  const records: TokenRecord[] = [];
  const names = new Set<string>();
  for (const [index, line] of text.replace(/^\uFEFF/, "").split(/\r?\n|;/).entries()) {
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    const record = await parseLine(line.trim(), index + 1, allowPlain);
    if (names.has(record.name)) {
      throw new TypeError(`Cannot read token ${index + 1}: the name ${record.name} is there twice`);
    }
    names.add(record.name);
    records.push(record);
  }
  if (records.length > TOKENS_MAX) {
    throw new TypeError(
      `Cannot use ${records.length} tokens: at most ${TOKENS_MAX} are allowed`,
    );
  }
  return records;
}

/** Lets requests in that present one of these tokens as `Authorization: Bearer <token>`. */
export function tokenAccess(tokens: readonly TokenRecord[]): Access {
  return async (c) => {
    const presented = presentedToken(c);
    return presented === undefined ? undefined : await recogniseToken(tokens, presented);
  };
}

/** Which of these tokens `presented` is. */
export async function recogniseToken(
  tokens: readonly TokenRecord[],
  presented: string,
): Promise<TokenRecord | undefined> {
  if (!TOKEN_PATTERN.test(presented)) return undefined;
  const hash = await sha256(presented);
  let found: TokenRecord | undefined;
  for (const record of tokens) if (areEqual(record.hash, hash)) found = record;
  return found;
}

async function parseLine(line: string, n: number, allowPlain: boolean): Promise<TokenRecord> {
  const [name, scopes, secret, ...rest] = line.split(/\s+/);
  if (name === undefined || scopes === undefined || secret === undefined || rest.length > 0) {
    throw new TypeError(`Cannot read token ${n}: "name scope,scope sha256:hex" is needed`);
  }
  try {
    checkTokenName(name);
    return { name, scopes: checkScopes(scopes), hash: await hashOf(secret, allowPlain) };
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    throw new TypeError(`Cannot read token ${n}: ${thrown.message}`, { cause: thrown });
  }
}

async function hashOf(secret: string, allowPlain: boolean): Promise<Uint8Array> {
  if (secret.startsWith(HASH_PREFIX)) {
    const hex = secret.slice(HASH_PREFIX.length);
    if (!/^[0-9a-f]{64}$/i.test(hex)) {
      throw new TypeError(`64 hexadecimal digits are needed after ${HASH_PREFIX}`);
    }
    return fromHex(hex);
  }
  if (!allowPlain) {
    throw new TypeError(`a hash is needed here, ${HASH_PREFIX}hex, not the token itself`);
  }
  if (secret.length < PLAIN_TOKEN_MIN_LENGTH) {
    throw new TypeError(
      `a token of ${secret.length} characters can be guessed, ${PLAIN_TOKEN_MIN_LENGTH} are needed`,
    );
  }
  if (!TOKEN_PATTERN.test(secret)) {
    throw new TypeError(
      `a token has 1 to 500 letters, digits, ".", "_", "~", "+", "/", "=", "-": no request could present this one`,
    );
  }
  return await sha256(secret);
}

function checkTokenName(name: string): void {
  if (/^[\w.-]{1,100}$/.test(name)) return;
  throw new TypeError(
    `${
      JSON.stringify(name)
    } is not a name of a token: 1 to 100 letters, digits, ".", "_", "-" are needed`,
  );
}

function checkScopes(text: string): Scope[] {
  const scopes = text.split(",");
  for (const scope of scopes) {
    if (!(SCOPES as readonly string[]).includes(scope)) {
      throw new TypeError(
        `${JSON.stringify(scope)} is not a scope: allowed are ${SCOPES.join(", ")}`,
      );
    }
  }
  return [...new Set(scopes)] as Scope[];
}

/** What a request presents as `Authorization: Bearer <token>`. */
export function presentedToken(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("Authorization") ?? "")?.[1];
}

/** The SHA-256 of a text, 32 bytes. */
export async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Looks at every byte, whatever it finds. */
function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);
  return difference === 0;
}
