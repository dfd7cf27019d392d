/**
 * The process around us: environment variables and the standard error.
 */

/** The values of these environment variables; each needs the permission to read it. */
export function readEnvironment(names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
}

/** One line on the standard error. */
export function warnOnStandardError(message: string): void {
  console.error(`holdfast: ${message}`);
}
