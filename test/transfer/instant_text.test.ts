/**
 * The instants of the original's texts.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseInstantText, toSqliteText } from "../../src/transfer/instant_text.ts";

const READ: readonly [text: string, instant: string][] = [
  ["2026-01-02T03:04:05.678901+00:00", "2026-01-02T03:04:05.678Z"],
  ["2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02T03:04:05.5", "2026-01-02T03:04:05.500Z"],
  ["2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02 03:04:05", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02 03:04:05.999999", "2026-01-02T03:04:05.999Z"],
  ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02T03:04:05.678901+05:30", "2026-01-01T21:34:05.678Z"],
  ["2026-01-02T03:04:05-0800", "2026-01-02T11:04:05.000Z"],
  ["2024-02-29 23:59:59", "2024-02-29T23:59:59.000Z"],
  ["0099-12-31 00:00:00", "0099-12-31T00:00:00.000Z"],
];

for (const [text, instant] of READ) {
  Deno.test(`${JSON.stringify(text)} is read as ${instant}`, () => {
    assertEquals(parseInstantText(text)?.toISOString(), instant);
  });
}

Deno.test("what is not an instant is none", () => {
  const wrong = ["", "now", "2026-02-30 00:00:00", "2026-13-01 00:00:00", "2026-01-01 24:00:00"];
  for (const text of [...wrong, "2026-01-01T00:60:00", "1767322800", "2026-01-01 00:00:00 PST"]) {
    assertEquals(parseInstantText(text), undefined, text);
  }
});

Deno.test("SQLite texts order as their instants do, and read back to the second", () => {
  const instant = fc.date({
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:58Z"),
    noInvalidDate: true,
  });
  fc.assert(fc.property(instant, instant, (a, b) => {
    const [textA, textB] = [toSqliteText(a), toSqliteText(b)];
    const second = (at: Date): number => Math.floor(at.getTime() / 1000);
    assertEquals(textA < textB, second(a) < second(b));
    assertEquals(parseInstantText(textA)?.getTime(), second(a) * 1000);
    const up = parseInstantText(toSqliteText(a, "up"))!.getTime();
    assertEquals(up - Math.ceil(a.getTime() / 1000) * 1000, 0);
  }));
});

Deno.test("the last second of the year 9999 is the last text", () => {
  const last = new Date("9999-12-31T23:59:59.999Z");
  assertEquals(toSqliteText(last, "up"), "9999-12-31 23:59:59");
  assertEquals(toSqliteText(last), "9999-12-31 23:59:59");
});
