/**
 * The command line of the bench.
 */

/** What was asked for. */
export interface BenchOptions {
  /** Seconds instead of minutes. */
  readonly isQuick: boolean;
  /** Which parts; `null` for all. */
  readonly only: readonly string[] | null;
}

/** @throws TypeError that says what is allowed. */
export function parseOptions(args: readonly string[], parts: readonly string[]): BenchOptions {
  let isQuick = false;
  let only: readonly string[] | null = null;
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i]!.split("=", 2);
    if (name === "--quick" && inline === undefined) isQuick = true;
    else if (name === "--only") only = parseOnly(inline ?? args[++i] ?? "", parts);
    else {
      throw new TypeError(
        `Cannot use ${JSON.stringify(args[i])}: allowed are --quick, --only=PARTS`,
      );
    }
  }
  return { isQuick, only };
}

function parseOnly(text: string, parts: readonly string[]): readonly string[] {
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const unknown = names.find((name) => !parts.includes(name));
  if (names.length > 0 && unknown === undefined) return names;
  const found = JSON.stringify(unknown ?? text);
  throw new TypeError(`Cannot run only ${found}: allowed are ${parts.join(", ")}`);
}
