/**
 * The assertions of `@std/assert` that our tests use, over `node:assert`: same names, same signatures.
 *
 * JSR cannot be reached where this is built; one line in deno.json's import map moves the tests to the real package.
 */
import nodeAssert from "node:assert/strict";

/** Fails unless `condition` holds. */
export function assert(condition: unknown, message?: string): asserts condition {
  nodeAssert.ok(condition, message);
}

/** Fails unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, message);
}

/** Fails when the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, message);
}

/** Fails unless the two are the same. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, message);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  nodeAssert.ok(
    actual.includes(expected),
    message ?? `${JSON.stringify(actual)} does not include ${JSON.stringify(expected)}`,
  );
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  nodeAssert.match(actual, expected, message);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual >= expected, message ?? `${actual} is less than ${expected}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.ok(actual <= expected, message ?? `${actual} is greater than ${expected}`);
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = new (...args: any[]) => E;

/** Fails unless `fn` throws an `ErrorClass` whose message includes `messageIncludes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): E {
  try {
    fn();
  } catch (thrown) {
    return checkThrown(thrown, errorClass, messageIncludes);
  }
  nodeAssert.fail("expected it to throw");
}

/** Fails unless what `fn` returns rejects with an `ErrorClass` whose message includes `messageIncludes`; resolves to it. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  messageIncludes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (thrown) {
    return checkThrown(thrown, errorClass, messageIncludes);
  }
  nodeAssert.fail("expected it to reject");
}

/** Fails always. */
export function fail(message?: string): never {
  nodeAssert.fail(message ?? "failed");
}

function checkThrown<E extends Error>(
  thrown: unknown,
  errorClass: ErrorClass<E> | undefined,
  messageIncludes: string | undefined,
): E {
  const wanted = errorClass ?? Error;
  nodeAssert.ok(
    thrown instanceof wanted,
    `expected ${wanted.name}, got ${
      thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
    }`,
  );
  if (messageIncludes !== undefined) assertStringIncludes(thrown.message, messageIncludes);
  return thrown as E;
}
