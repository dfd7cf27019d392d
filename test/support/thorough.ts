/**
 * Tests that take a second of CPU and more. The quick size ignores those of the largest payloads and pages, and in a run of
 * everything also those that start programs, or threads that load this one.
 */
import { EFFORT, isThorough } from "./effort.ts";

/** The files of a run of everything are its arguments (`test/run.ts`); one that is asked for by name has none. */
const IS_EVERYDAY = EFFORT === "quick" && Deno.args.length > 0;

/** Registers a test that the quick size ignores. */
export function thoroughTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !isThorough(), fn });
}

/** Registers a test that starts programs: a quick run of everything ignores it, and so does `ignore`. */
export function programTest(
  name: string,
  fn: () => Promise<void>,
  { ignore = false }: { readonly ignore?: boolean } = {},
): void {
  Deno.test({ name, ignore: ignore || IS_EVERYDAY, fn });
}
