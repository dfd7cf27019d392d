/**
 * Options by their names: a misspelt one would be ignored, and something else be done than was asked for.
 */

/** @throws TypeError when `given` has a key that is not among `known`; a key without a value is none. */
export function checkOptions(given: object, known: readonly string[], where: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.includes(name)) continue;
    const meant = known.find((other) => other.toLowerCase() === name.toLowerCase());
    const advice = meant === undefined ? `allowed are ${known.join(", ")}` : `${meant} is meant`;
    throw new TypeError(`Cannot use the option ${JSON.stringify(name)} of ${where}: ${advice}`);
  }
}
