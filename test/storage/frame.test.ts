import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 as referenceCrc32 } from "node:zlib";
import { crc32 } from "../../src/storage/crc32.ts";
import { decodeFrame, encodeFrame, type Frame, frameBytes } from "../../src/storage/frame.ts";

const frames = fc.record({
  kind: fc.constantFrom("commit" as const, "seal" as const),
  sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  durableSequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  payload: fc.uint8Array({ maxLength: 300 }),
});

Deno.test("crc32() equals zlib's, whole and in two parts", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, at) => {
    const cut = bytes.length === 0 ? 0 : at % bytes.length;
    assertEquals(crc32(bytes), referenceCrc32(bytes));
    assertEquals(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), referenceCrc32(bytes));
  }));
});

Deno.test("decodeFrame() gives back what encodeFrame() wrote, at any offset", () => {
  fc.assert(fc.property(frames, fc.uint8Array({ maxLength: 50 }), (frame: Frame, before) => {
    const bytes = new Uint8Array([...before, ...encodeFrame(frame)]);
    const decoded = decodeFrame(bytes, before.length);
    assertEquals({ ...decoded, payload: [...decoded!.payload] }, {
      ...frame,
      payload: [...frame.payload],
    });
    assertEquals(frameBytes(frame), bytes.length - before.length);
  }));
});

Deno.test("decodeFrame() accepts no frame with a bit flipped or an end cut off", () => {
  fc.assert(fc.property(frames, fc.nat(), fc.nat({ max: 7 }), (frame, at, bit) => {
    const bytes = encodeFrame(frame);
    const flipped = bytes.slice();
    flipped[at % bytes.length]! ^= 1 << bit;
    assertEquals(decodeFrame(flipped, 0), undefined);
    assertEquals(decodeFrame(bytes.subarray(0, at % bytes.length), 0), undefined);
  }));
});
