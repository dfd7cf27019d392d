/**
 * Evaluated before every other module of the library: where there is no Deno, one sentence says so.
 */

if (typeof globalThis.Deno === "undefined") {
  throw new Error(
    "Holdfast needs Deno, whose files, locks and processes it uses: in Node and Bun take @holdfast/holdfast/core, which keeps a queue in memory or in a storage of yours, or @holdfast/holdfast/client, which uses one over HTTP",
  );
}

export {};
