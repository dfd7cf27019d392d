/**
 * The counts that are expected, in `expected.json`, and how they differ from those found.
 */
import { COUNTED, type Counts } from "./counted_queue.ts";

const EXPECTED = new URL("expected.json", import.meta.url);

/** Counts by the scenario's name. */
export type CountsByName = Readonly<Record<string, Counts>>;

/** What `expected.json` says. */
export async function readExpected(): Promise<CountsByName> {
  return JSON.parse(await Deno.readTextFile(EXPECTED)) as CountsByName;
}

/** Makes `expected.json` say `counts`. */
export async function writeExpected(counts: CountsByName): Promise<void> {
  await Deno.writeTextFile(EXPECTED, `${JSON.stringify(counts, null, 2)}\n`);
}

/** Says which count changed from what to what, one a line; empty when none did. */
export function differences(
  name: string,
  expected: Counts | undefined,
  found: Counts | undefined,
): string[] {
  return COUNTED.flatMap((what) => {
    const [from, to] = [expected?.[what], found?.[what]];
    return from === to
      ? []
      : [`${name}: ${what} ${from ?? "not counted"} → ${to ?? "not counted"}`];
  });
}
