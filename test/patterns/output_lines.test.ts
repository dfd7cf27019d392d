/**
 * Output as lines, however its bytes are cut.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { OutputLines } from "../../src/patterns/output_lines.ts";

const encoder = new TextEncoder();

Deno.test("LF and CRLF end a line, a lone CR does not, and the last line needs no end", () => {
  assertEquals(linesOf(["a\nb\r\n\n\r\nc\rd\ne"]), ["a", "b", "", "", "c\rd", "e"]);
  assertEquals(linesOf(["a\n"]), ["a"]);
  assertEquals(linesOf([""]), []);
  assertEquals(linesOf(["a\r", "\nb\r"]), ["a", "b\r"]);
});

Deno.test("a character whose bytes arrive apart is one character", () => {
  const bytes = encoder.encode("ü€😀\n");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const lines = new OutputLines();
    const found = [...lines.push(bytes.subarray(0, cut)), ...lines.push(bytes.subarray(cut))];
    assertEquals([...found, ...lines.finish()], ["ü€😀"], `cut at ${cut}`);
  }
});

Deno.test("what is not UTF-8 is replaced, also at the end", () => {
  const lines = new OutputLines();
  const found = lines.push(new Uint8Array([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82]));
  assertEquals([...found, ...lines.finish()], ["a\ufffdb", "\ufffd"]);
});

Deno.test("a line longer than the limit comes in pieces, none of which takes a pair apart", () => {
  assertEquals(linesOf(["abcdefgh\nxy"], 3), ["abc", "def", "gh", "xy"]);
  assertEquals(linesOf(["ab😀cd"], 3), ["ab", "😀c", "d"]);
  assertEquals(linesOf(["abc", "\r", "\n", "d"], 3), ["abc", "d"]);
});

Deno.test("property: the lines do not depend on how the bytes are cut, and nothing is lost", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "😀", "é", "\r", "\n", "\ufeff") });
  let cutInTwo = 0;
  fc.assert(
    fc.property(text, fc.array(fc.nat(40)), fc.integer({ min: 2, max: 6 }), (all, cuts, limit) => {
      const bytes = encoder.encode(all);
      const lines = new OutputLines(limit);
      const found: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        found.push(...lines.push(bytes.subarray(at, at + cut)));
        at = Math.min(bytes.length, at + cut);
      }
      found.push(...lines.finish());
      if (cuts.length > 0) cutInTwo++;
      assertEquals(found, linesOf([all], limit));
      assertEquals(
        found.join("").replaceAll("\r", ""),
        all.replaceAll(/[\r\n]/g, ""),
      );
      assert(found.every((line) => line.isWellFormed() && line.length <= limit + 1));
    }),
    { numRuns: 1000 },
  );
  assert(cutInTwo > 100, `${cutInTwo} were cut`);
});

function linesOf(texts: readonly string[], maxLength?: number): string[] {
  const lines = new OutputLines(maxLength);
  const found = texts.flatMap((text) => lines.push(encoder.encode(text)));
  return [...found, ...lines.finish()];
}
