/**
 * What a tail proves, against the plain search that looks at every byte.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeFrame, encodeFrame, findFrameStart } from "../../src/storage/frame.ts";
import { provesDurable } from "../../src/storage/torn_tail.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_261_121, numRuns: numRuns(3000) };

const MISSING = 10;

/** Bytes in which magics and parts of them abound. */
const rubbish = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom("H", "HF", "HFR", "HFRC", "HFRS", "HHFRC", "HFHFRS").map(textBytes),
  ),
  { maxLength: 6 },
).map(joined);

/** A frame around the missing record, whole or spoilt. */
const frame = fc.record({
  kind: fc.constantFrom("commit" as const, "seal" as const),
  sequence: fc.integer({ min: MISSING - 2, max: MISSING + 3 }),
  durableSequence: fc.integer({ min: MISSING - 3, max: MISSING + 2 }),
  payload: rubbish,
  spoiltAt: fc.option(fc.nat(), { freq: 1 }),
}).map(({ spoiltAt, ...parts }) => {
  const bytes = encodeFrame(parts);
  if (spoiltAt !== null) bytes[spoiltAt % bytes.length]! ^= 1;
  return bytes;
});

/** A frame may stand within another's payload, too: the search does not care. */
const nested = frame.map((payload) =>
  encodeFrame({ kind: "commit", sequence: MISSING, durableSequence: 0, payload })
);

const tails = fc.array(fc.oneof(rubbish, frame, nested), { maxLength: 5 }).map(joined);

Deno.test("provesDurable() finds what a search at every byte finds, in any tail", () => {
  const seen = { proved: 0, torn: 0 };
  fc.assert(
    fc.property(tails, fc.nat(), (tail, cut) => {
      const whole = cut % 3 === 0 ? tail.subarray(0, cut % (tail.length + 1)) : tail;
      const expected = provesDurableAtEveryByte(whole, MISSING);
      seen[expected ? "proved" : "torn"]++;
      assertEquals(provesDurable(whole, MISSING), expected);
    }),
    PARAMETERS,
  );
  assert(Math.min(seen.proved, seen.torn) > numRuns(300), JSON.stringify(seen));
});

Deno.test("findFrameStart() misses no place at which a frame begins, and gives each once", () => {
  let found = 0;
  fc.assert(
    fc.property(tails, (bytes) => {
      const places: number[] = [];
      for (let at = findFrameStart(bytes, 0); at >= 0; at = findFrameStart(bytes, at + 1)) {
        places.push(at);
      }
      const expected = [...bytes.keys()].filter((at) =>
        bytes[at] === 0x48 && bytes[at + 1] === 0x46
      );
      assertEquals(places, expected);
      for (const at of bytes.keys()) {
        if (decodeFrame(bytes, at) === undefined) continue;
        assert(places.includes(at), `a frame begins at ${at}`);
        found++;
      }
    }),
    PARAMETERS,
  );
  assert(found > numRuns(1000), `only ${found} frames`);
});

function provesDurableAtEveryByte(tail: Uint8Array, sequence: number): boolean {
  return [...tail.keys()].some((at) => {
    const found = decodeFrame(tail, at);
    return found !== undefined && found.sequence > sequence && found.durableSequence >= sequence;
  });
}

function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}
