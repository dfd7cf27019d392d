/**
 * Unknown options are refused: a misspelt one would silently be the default. The client imports nothing, so it has this itself.
 */

/** The names of the options of `T`: all of them, or it does not compile. */
export function namesOf<T>(names: { readonly [Name in keyof T]-?: true }): readonly string[] {
  return Object.keys(names);
}

/** @throws TypeError when `given` has a value under a name that is not among `known`. */
export function refuseUnknown(given: object, known: readonly string[], where: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.includes(name)) continue;
    throw new TypeError(
      `Cannot use the option ${JSON.stringify(name)} of ${where}: allowed are ${known.join(", ")}`,
    );
  }
}
