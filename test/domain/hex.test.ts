import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { fromHex, toBase64Url, toHex } from "../../src/domain/hex.ts";
import { numRuns } from "../support/effort.ts";

Deno.test("toHex(), fromHex() and toBase64Url() do what the built-ins of a newer runtime do", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (given) => {
      const bytes = Uint8Array.from(given);
      assertEquals(toHex(bytes), bytes.toHex());
      assertEquals(fromHex(toHex(bytes)), bytes);
      const options = { alphabet: "base64url", omitPadding: true } as const;
      assertEquals(toBase64Url(bytes), bytes.toBase64(options));
    }),
    { numRuns: numRuns(200) },
  );
  assertEquals(fromHex("aF"), Uint8Array.of(175));
  for (const text of ["a", "0x", "zz", "aa ", " "]) assertThrows(() => fromHex(text), SyntaxError);
});
