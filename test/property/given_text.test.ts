/**
 * Text from outside: what would be stored otherwise than it was written is found.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeText, roundedNumber } from "../../src/mod.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_261_128, numRuns: numRuns(1000) };

const encoder = new TextEncoder();

/** As PowerShell 5.1 writes it: UTF-16 with a mark. */
function utf16(text: string, littleEndian: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 + text.length * 2));
  view.setUint16(0, 0xfeff, littleEndian);
  for (let n = 0; n < text.length; n++) {
    view.setUint16(2 + n * 2, text.charCodeAt(n), littleEndian);
  }
  return new Uint8Array(view.buffer);
}

Deno.test("decodeText() gives back any text, with and without a mark, in UTF-8 and UTF-16", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      // a text that begins with the mark itself loses it, as files do
      fc.pre(!text.startsWith("\ufeff"));
      assertEquals(decodeText(encoder.encode(text)), text);
      assertEquals(decodeText(encoder.encode(`\ufeff${text}`)), text);
      for (const littleEndian of [true, false]) {
        assertEquals(decodeText(utf16(text, littleEndian)), text);
      }
    }),
    PARAMETERS,
  );
});

Deno.test("decodeText() names the first byte that is not UTF-8", () => {
  for (
    const [bytes, place] of [
      [[0x7b, 0xfc, 0x7d], "byte 1 is 0xfc"],
      [[...encoder.encode("ü\ufffd€"), 0x80, 0x41], "byte 8 is 0x80"],
      [[0x41, 0xe2, 0x82], "byte 1 is 0xe2"],
      [[0xed, 0xa0, 0x80], "byte 0 is 0xed"],
    ] as const
  ) {
    const { message } = assertThrows(() => decodeText(Uint8Array.from(bytes)), TypeError);
    assertEquals(message, `it is not UTF-8: ${place}`);
  }
  const half = utf16("ab", true).subarray(0, 5);
  assertEquals(
    assertThrows(() => decodeText(half), TypeError).message,
    "it is not UTF-16LE",
  );
});

Deno.test("roundedNumber() finds every number that comes back as another one", () => {
  for (
    const source of [
      "9007199254740993",
      "-9007199254740993",
      "12345678901234567890",
      "123456789012345678.5",
      "0.123456789012345678",
      "1e400",
      "-1e999",
      "1e-400",
    ]
  ) {
    for (const text of [source, `[1, ${source}]`, `{"a":{"b":[${source}]}}`]) {
      assertEquals(roundedNumber(text)?.source, source, text);
    }
  }
});

Deno.test("roundedNumber() lets pass what is kept, and what is not a number", () => {
  for (
    const text of [
      "9007199254740992",
      "10000000000000000000000",
      "0.1",
      "0.10000000000000001",
      "3.141592653589793",
      "2.2250738585072014e-308",
      "1e308",
      "0.0000000000000000000000",
      "1.5000000000000000000000",
      '"12345678901234567890"',
      '{"12345678901234567890":"1e999"}',
      "{not json 12345678901234567890",
      "",
    ]
  ) {
    assertEquals(roundedNumber(text), undefined, text);
  }
  const every = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger());
  fc.assert(
    fc.property(every, (value) => {
      assertEquals(roundedNumber(JSON.stringify([value])), undefined);
    }),
    PARAMETERS,
  );
});

Deno.test("roundedNumber() agrees with exact integers", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (value) => {
      const isKept = BigInt(Number(value)) === value || String(Number(value)) === String(value);
      assertEquals(roundedNumber(`{"n":${value}}`) === undefined, isKept);
    }),
    PARAMETERS,
  );
  assert(roundedNumber(String(2n ** 53n + 1n)) !== undefined);
});

Deno.test("a text that is nested too deeply to be walked has no rounded number", () => {
  const digits = "12345678901234567890";
  assertEquals(roundedNumber(`${"[".repeat(100_000)}${digits}${"]".repeat(100_000)}`), undefined);
  assertEquals(roundedNumber(`${"[".repeat(100)}${digits}${"]".repeat(100)}`)?.source, digits);
});
