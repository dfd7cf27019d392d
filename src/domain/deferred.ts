/**
 * A promise that is settled from outside. `Promise.withResolvers` is not in Node 20.
 */

/** The promise, and what settles it. */
export interface Deferred<T> {
  /** Settled by one of the others, the first time that one is called. */
  readonly promise: Promise<T>;
  /** Fulfils it. */
  readonly resolve: (value: T | PromiseLike<T>) => void;
  /** Rejects it. */
  readonly reject: (reason: unknown) => void;
}

/** A promise that is not settled yet. */
export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise">;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  return { promise, ...settle! };
}
