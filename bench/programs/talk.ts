/**
 * How the bench's programs talk with it: lines of JSON out, lines in.
 */

/** Says something. */
export function say(message: unknown): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Each line that is said to this program, until there are no more. */
export async function* heard(): AsyncGenerator<string> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** Milliseconds since 1970, finer than `Date.now()`, the same in all processes of a machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
