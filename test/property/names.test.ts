import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { checkInstant, checkInteger, checkName, INSTANT_RANGE } from "../../src/domain/check.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_260_131, numRuns: numRuns(3000) };
const LENGTH_MAX = 20;

/** Characters between the ordinary, the blank, the controlling and the broken. */
const characters = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "Z", "0", "é", "😀", "_", "%") },
  { weight: 2, arbitrary: fc.constantFrom(" ", "\t", "\n", "\u00a0", "\ufeff", "\u3000") },
  { weight: 1, arbitrary: fc.constantFrom("\u0000", "\u001f", "\u007f", "\ud800", "\udc00") },
);
const texts = fc.oneof(
  fc.array(characters, { maxLength: LENGTH_MAX + 4 }).map((parts) => parts.join("")),
  fc.integer({ min: LENGTH_MAX - 1, max: LENGTH_MAX + 2 }).map((length) =>
    ` ${"n".repeat(length)}\t`
  ),
);

Deno.test("checkName() gives a trimmed, printable, well-formed text of the allowed length, or a TypeError", () => {
  const seen = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(texts, (text) => {
      const trimmed = text.trim();
      if (isName(trimmed)) {
        seen.accepted++;
        assertEquals(checkName(text, "task type", LENGTH_MAX), trimmed);
        assertEquals(checkName(trimmed, "task type", LENGTH_MAX), trimmed);
      } else {
        seen.refused++;
        assertThrows(() => checkName(text, "task type", LENGTH_MAX), TypeError, "task type");
      }
    }),
    PARAMETERS,
  );
  assert(Math.min(seen.accepted, seen.refused) > numRuns(500), JSON.stringify(seen));
});

Deno.test("checkName() refuses whatever is not a text", () => {
  fc.assert(
    fc.property(fc.anything().filter((value) => typeof value !== "string"), (value) => {
      assertThrows(() => checkName(value, "worker id", LENGTH_MAX), TypeError, "worker id");
    }),
    PARAMETERS,
  );
});

Deno.test("checkInteger() gives integers in their range and refuses all else", () => {
  const ranges = fc.tuple(fc.integer(), fc.nat()).map(([min, length]) => [min, min + length]);
  const numbers = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(NaN, Infinity, 0.5, 2 ** 53));
  fc.assert(
    fc.property(numbers, ranges, (value, range) => {
      const [min, max] = range as [number, number];
      if (Number.isInteger(value) && value >= min && value <= max) {
        assertEquals(checkInteger(value, "limit", min, max), value);
      } else {
        const range = `an integer from ${min} to ${max} is needed`;
        assertThrows(() => checkInteger(value, "limit", min, max), RangeError, range);
      }
      for (const edge of [min, max]) assertEquals(checkInteger(edge, "limit", min, max), edge);
      assertThrows(() => checkInteger(min - 1, "limit", min, max), RangeError);
      assertThrows(() => checkInteger(max + 1, "limit", min, max), RangeError);
    }),
    PARAMETERS,
  );
  fc.assert(
    fc.property(fc.anything().filter((value) => typeof value !== "number"), (value) => {
      assertThrows(() => checkInteger(value, "limit", 0, 9), TypeError, "limit");
    }),
    PARAMETERS,
  );
});

const instants = fc.date({
  min: new Date("0100-01-01T00:00:00Z"),
  max: new Date("9999-12-31T00:00:00Z"),
  noInvalidDate: true,
});

/** A zone: its text, and how many minutes it is ahead of UTC. */
const zones = fc.oneof(
  fc.constantFrom<readonly [string, number]>(["Z", 0], ["+00:00", 0], ["-00:00", 0]),
  fc.integer({ min: -14 * 60, max: 14 * 60 }).map((minutes) =>
    [offsetText(minutes), minutes] as const
  ),
);

Deno.test("checkInstant() reads an instant in any zone and precision", () => {
  fc.assert(
    fc.property(instants, zones, fc.nat({ max: 9 }), (instant, [zone, aheadMinutes], digits) => {
      const local = new Date(instant.getTime() + aheadMinutes * 60_000).toISOString();
      fc.pre(/^\d{4}-/.test(local));
      const fraction = digits === 0
        ? ""
        : `.${local.slice(20, 23).padEnd(9, "7").slice(0, digits)}`;
      const kept = Number(local.slice(20, 23).slice(0, digits).padEnd(3, "0"));
      const expected = Math.floor(instant.getTime() / 1000) * 1000 + kept;
      assertEquals(checkInstant(`${local.slice(0, 19)}${fraction}${zone}`, "runAfter"), expected);
      assertEquals(checkInstant(instant, "runAfter"), instant.getTime());
      assertEquals(checkInstant(instant.toISOString(), "runAfter"), instant.getTime());
    }),
    PARAMETERS,
  );
});

Deno.test("checkInstant() takes the years 1 to 9999", () => {
  for (const text of ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]) {
    assertEquals(checkInstant(new Date(text), "runAfter"), Date.parse(text));
  }
  const outside = [
    new Date("+010000-01-01T00:00:00Z"),
    new Date("0000-12-31T23:59:59.999Z"),
    "9999-12-31T23:59:59-05:00",
    new Date(8.64e15),
  ];
  for (const instant of outside) {
    assertThrows(() => checkInstant(instant, "runAfter"), RangeError, "9999-12-31T23:59:59.999Z");
  }
});

Deno.test("checkInstant() refuses a text without a zone, with a part missing or off the calendar", () => {
  const days = fc.constantFrom("02-30", "02-31", "04-31", "13-01", "00-10", "01-00", "01-32");
  const hours = fc.constantFrom("25:00:00", "23:60:00", "23:59:60", "24:00:01", "1:00:00", "99:99");
  const strange = fc.oneof(
    instants.map((instant) => instant.toISOString().slice(0, -1)),
    instants.map((instant) => instant.toISOString().slice(0, 10)),
    instants.map((instant) => instant.toISOString().replace("T", " ")),
    instants.map((instant) => instant.toString()),
    instants.map((instant) => ` ${instant.toISOString()}`),
    instants.map((instant) => `${instant.toISOString()}\n`),
    instants.map((instant) => String(instant.getTime())),
    fc.tuple(instants, days).map(([instant, day]) =>
      `${instant.toISOString().slice(0, 5)}${day}T00:00:00Z`
    ),
    fc.tuple(instants, hours).map(([instant, hour]) =>
      `${instant.toISOString().slice(0, 10)}T${hour}Z`
    ),
    fc.string({ unit: "binary-ascii" }),
    fc.constantFrom("2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "now", "+10s", ""),
  );
  fc.assert(
    fc.property(strange, (text) => {
      assertThrows(() => checkInstant(text, "runAfter"), TypeError, "runAfter");
    }),
    { ...PARAMETERS, numRuns: numRuns(1000) },
  );
});

Deno.test("checkInstant() gives the milliseconds of a real instant or a TypeError, for whatever it is given", () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true }), (value) => {
      const atMs = value instanceof Date ? value.getTime() : NaN;
      if (atMs < INSTANT_RANGE.minMs || atMs > INSTANT_RANGE.maxMs) {
        assertThrows(() => checkInstant(value, "runAfter"), RangeError, "runAfter");
      } else if (value instanceof Date && !Number.isNaN(atMs)) {
        assertEquals(checkInstant(value, "runAfter"), value.getTime());
      } else {
        assertThrows(() => checkInstant(value, "runAfter"), TypeError, "runAfter");
      }
    }),
    PARAMETERS,
  );
});

function isName(trimmed: string): boolean {
  const isControl = [...trimmed].some((character) => {
    const code = character.codePointAt(0)!;
    return code < 0x20 || code === 0x7f;
  });
  return trimmed.length > 0 && trimmed.length <= LENGTH_MAX && !isControl && trimmed.isWellFormed();
}

function offsetText(minutes: number): string {
  const digits = (n: number): string => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${digits(Math.floor(size / 60))}:${digits(size % 60)}`;
}
