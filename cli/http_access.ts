/**
 * Access to the HTTP interface that a command serves: the tokens it is given, and how far it listens without any.
 */
import type { AppOptions } from "../server/app.ts";
import { parseTokens, type TokenRecord } from "../server/http/tokens.ts";
import { messageOf, type ProjectConfig, quotePath, SETTINGS } from "../src/mod.ts";
import { checkedInput, UsageError } from "./exit.ts";
import type { CliIo } from "./io.ts";

/** Tokens themselves or their hashes, between `;`. */
export const TOKENS_VARIABLE = "HOLDFAST_TOKENS";

/** The loopback names under which a server without tokens answers; another name is DNS rebinding. */
const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/** Who may use the HTTP interface and the dashboard. */
export interface HttpAccess extends Pick<AppOptions, "hosts"> {
  /** The tokens that are asked for; `undefined` when nobody is asked for one. */
  readonly tokens: readonly TokenRecord[] | undefined;
}

/**
 * The access for a server on `host`: by tokens if there are any, otherwise for every user of this machine.
 *
 * @throws UsageError when tokens cannot be read, or there are none and other machines could reach `host`.
 */
export async function httpAccess(
  io: CliIo,
  { host, tokensFile }: Pick<ProjectConfig, "host" | "tokensFile">,
): Promise<HttpAccess> {
  const tokens = await readTokens(io, tokensFile);
  if (tokens.length > 0) return { tokens };
  if (/^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)) {
    return {
      tokens: undefined,
      hosts: [...new Set([...LOOPBACK_HOSTS, host.replace(/^.*:.*$/, "[$&]").toLowerCase()])],
    };
  }
  throw new UsageError(
    `Cannot listen on ${
      JSON.stringify(host)
    }: without access tokens only a loopback address is allowed (127.0.0.1, ::1, localhost); give tokens by --tokens, ${SETTINGS.tokensFile.variable} or ${TOKENS_VARIABLE}`,
  );
}

async function readTokens(io: CliIo, file: string | undefined): Promise<TokenRecord[]> {
  const plain = io.environment(TOKENS_VARIABLE) ?? "";
  const ofFile = file === undefined ? [] : await readTokensFile(io, file);
  const ofEnvironment = await checkedInput(() =>
    parseTokens(plain, { allowPlain: true }).catch((thrown) => {
      throw new TypeError(`${messageOf(thrown)} in ${TOKENS_VARIABLE}`);
    })
  );
  return [...ofFile, ...ofEnvironment];
}

/** @throws UsageError also for a file without any token: it was meant to close the door. */
async function readTokensFile(io: CliIo, file: string): Promise<TokenRecord[]> {
  let tokens: TokenRecord[];
  try {
    tokens = await parseTokens(await io.readText(file));
  } catch (thrown) {
    throw new UsageError(`Cannot use the tokens of ${quotePath(file)}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  if (tokens.length > 0) return tokens;
  throw new UsageError(`Cannot use the tokens of ${quotePath(file)}: there are none in it`);
}
