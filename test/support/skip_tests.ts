/**
 * Leaving tests of a file out for a reason that its tests need not know of.
 */

type Definition = Omit<Deno.TestDefinition, "fn"> & { readonly fn: () => void | Promise<void> };

/**
 * Tests that are registered in this file from here on are ignored where `whyNot` has a reason, which then stands in their names.
 * `nameOf` gives each its name.
 */
export function skipTests(
  whyNot: (name: string) => string | undefined,
  nameOf: (name: string) => string = (name) => name,
): void {
  const original = Deno.test;
  const test = (first: string | Definition, fn?: Definition["fn"]): void => {
    const definition = typeof first === "string" ? { name: first, fn: fn! } : first;
    const reason = whyNot(definition.name);
    const name = nameOf(definition.name) + (reason === undefined ? "" : ` (${reason})`);
    original({ ...definition, name, ignore: definition.ignore || reason !== undefined });
  };
  Object.defineProperty(Deno, "test", {
    value: Object.assign(test, original),
    configurable: true,
  });
}
