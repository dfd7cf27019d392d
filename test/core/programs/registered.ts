/**
 * What the contract suites name of Deno, for another runtime: tests are registered here. Imported before the suites, which are read
 * after it. Nothing of core's may need it; `test/layering.test.ts` sees to that.
 */

/** A test that a suite has registered. */
export interface Registered {
  readonly name: string;
  readonly run: () => unknown;
}

/** In their order. */
export const registered: Registered[] = [];

Object.assign(globalThis, {
  Deno: {
    args: [],
    build: { os: "linux" },
    env: { get: () => undefined },
    test: (test: string | Deno.TestDefinition, run?: Registered["run"]): void => {
      if (typeof test === "string") registered.push({ name: test, run: run! });
      else if (!test.ignore) {
        registered.push({ name: test.name, run: test.fn as Registered["run"] });
      }
    },
  },
});
