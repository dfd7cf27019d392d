/**
 * Patterns that no text can make slow: they match what JavaScript's engine matches.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { LinearPattern } from "../../src/patterns/linear_pattern.ts";

const PATTERNS = [
  ...[
    "",
    "a",
    "a|b",
    "a*",
    "(a|b)*c?",
    "(?:ab){2,3}",
    "a{0}",
    "a{2,}b",
    "(?<name>a+)-",
  ],
  ...[
    "^a$",
    "a$b",
    "\\bab\\b",
    "a\\Bb",
    "[a-c]+",
    "[^a]*",
    "[\\]a]",
    ".",
    ".*",
    "\\.",
    "\\w+-\\d*",
  ],
  ...[
    "\\u{61}b",
    "\\x61",
    "\\u0061",
    "\\p{L}+",
    "\\P{L}",
    "😀?a",
    "\\ud83d\\ude00",
    "[😀a]+",
    "(|a)b",
    "(a?)*b",
  ],
  ...["(a*)*", "a+?b*?", "\\n?a", "-\\/a", "(a|ab)(c|bcd)?", "\\cA|a"],
];

Deno.test("a linear pattern matches exactly what JavaScript's engine matches", () => {
  const part = fc.constantFrom("a", "b", "c", "d", "-", "/", ".", "😀", "\n", "é", "1", "_", "]");
  const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(""));
  for (const source of PATTERNS) {
    const pattern = new LinearPattern(source);
    const expected = new RegExp(`^(?:${source})$`, "u");
    for (const given of ["", "a", "ab", "abc", "aab", "ababab", "a-1", "😀a"]) {
      assertEquals(pattern.test(given), expected.test(given), `${source} on ${given}`);
    }
    fc.assert(
      fc.property(text, (given) => pattern.test(given) === expected.test(given)),
      { numRuns: 100 },
    );
  }
});

Deno.test("✗ stopped the server: patterns that try all ways elsewhere take their time here", () => {
  const text = "a".repeat(10_000) + "!";
  for (const source of ["(a+)+b", "(a|a)*b", "(a|aa)+b", "a*a*a*a*a*b", "(.*a){10}b"]) {
    assertEquals(new LinearPattern(source).test(text), false, source);
  }
});

Deno.test("what is not a pattern, needs memory, or is too large is refused", () => {
  assertThrows(() => new LinearPattern("a)|(b"), SyntaxError);
  assertThrows(() => new LinearPattern("(a"), SyntaxError);
  for (
    const source of ["(?=a)b", "(?!a)", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>", "(?i:a)"]
  ) {
    assertThrows(() => new LinearPattern(source), TypeError, "may take for ever");
  }
  for (const source of ["(a{100}){100}", "(?:){99999}", "((a?){50}){50}"]) {
    assertThrows(() => new LinearPattern(source), TypeError, "more than 2000 states");
  }
  assert(new LinearPattern("a{1900}").test("a".repeat(1900)));
});
