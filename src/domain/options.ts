/**
 * Unknown options are refused, at every door: a misspelt one would silently be the default.
 */

import { shownValue } from "./shown_value.ts";

/** The names of the options of `T`: all of them, or it does not compile. */
export function optionNames<T>(names: { readonly [Name in keyof T]-?: true }): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/**
 * Refuses what nobody would look at: a misspelt option would silently be the default. A key without a value counts as absent.
 *
 * @throws TypeError when `given` is not an object, or has a key that is not among `known`.
 */
export function checkOptions(given: object, known: ReadonlySet<string>, where: string): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(
      `Cannot use ${shownValue(given)} as options of ${where}: an object is needed`,
    );
  }
  for (const name in given) {
    if (!known.has(name)) refuseOption(given, name, { known, where });
  }
}

function refuseOption(
  given: object,
  name: string,
  { known, where }: { readonly known: ReadonlySet<string>; readonly where: string },
): void {
  if (Reflect.get(given, name) === undefined) return;
  const names = [...known];
  const meant = names.find((other) => other.toLowerCase() === name.toLowerCase());
  const advice = meant === undefined ? `allowed are ${names.join(", ")}` : `${meant} is meant`;
  throw new TypeError(`Cannot use the option ${JSON.stringify(name)} of ${where}: ${advice}`);
}
