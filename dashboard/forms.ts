/**
 * What forms send, and where their answers lead.
 */
import type { Context } from "hono";
import { HttpError } from "../server/http/errors.ts";

/** The fields of a form; of several with one name the last. @throws HttpError when the body is no form. */
export async function fieldsOf(c: Context): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries(await formOf(c));
}

/** The same with every field. */
export async function formOf(c: Context): Promise<URLSearchParams> {
  const type = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    throw new HttpError("UNSUPPORTED_MEDIA_TYPE", "Cannot read the body: a form is needed");
  }
  return new URLSearchParams(await c.req.text());
}

/** The id in a field. @throws HttpError `VALIDATION_ERROR`. */
export function idOf(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new HttpError(
    "VALIDATION_ERROR",
    `Cannot use ${JSON.stringify(text ?? null)} as a task id`,
  );
}

/**
 * A path below the prefix for a redirect, with what was done. A place that leads elsewhere (another host, a scheme) counts as the
 * overview.
 */
export function placeBelow(
  prefix: string,
  place: string | undefined,
  done: Readonly<Record<string, string>> = {},
): string {
  // two slashes or a backslash begin a host, and browsers drop tabs and line ends
  const isBelow = place !== undefined && /^\/(?![/\\])[!-~]*$/.test(place);
  const [path, query] = (isBelow ? place : "/").split("#")[0]!.split("?");
  const params = new URLSearchParams(query ?? "");
  for (const name of ["did", "n", "left"]) params.delete(name);
  for (const [name, value] of Object.entries(done)) params.set(name, value);
  const below = prefix + (path === "/" ? "" : path) || "/";
  return params.size === 0 ? below : `${below}?${params}`;
}
