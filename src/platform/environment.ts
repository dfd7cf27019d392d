/**
 * The process around us: environment variables.
 */

/** The values of these environment variables; each needs the permission to read it. */
export function readEnvironment(names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
}
