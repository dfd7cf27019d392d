/**
 * What tests may do, wherever they are run from. `deno task coverage` repeats it.
 */
export const TEST_PERMISSIONS: readonly string[] = Object.freeze([
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-sys=uid",
  "--allow-net=127.0.0.1,localhost,0.0.0.0",
]);
