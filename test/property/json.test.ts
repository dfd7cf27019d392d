import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { canonicalJson, toJsonText } from "../../src/domain/json.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_260_131, numRuns: numRuns(2000) };
const DEPTH_MAX = 200;

type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

/** Keys that mean something to JavaScript, that sort as numbers, and any other. */
const keys = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "toString", "toJSON", "", "0", "10", "9", "é", "e"),
  fc.string({ unit: "binary", maxLength: 5 }),
);

const { value: values } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<Value>(null, true, false, 0, -0, 1e308, 5e-324, "", "\ud800", "\u0000", "😀"),
    fc.double({ noNaN: true, noDefaultInfinity: true }) as fc.Arbitrary<Value>,
    fc.string({ unit: "binary", maxLength: 8 }) as fc.Arbitrary<Value>,
    fc.array(tie("value"), { maxLength: 4 }) as fc.Arbitrary<Value>,
    fc.dictionary(keys, tie("value"), { maxKeys: 5 }) as fc.Arbitrary<Value>,
  ),
}));

/** What JSON has no text for. */
const strangers = fc.constantFrom<readonly [string, unknown]>(
  ["NaN", NaN],
  ["Infinity", -Infinity],
  ["undefined", undefined],
  ["bigint", 1n],
  ["function", (): void => {}],
  ["symbol", Symbol("s")],
  ["Map", new Map()],
  ["Uint8Array", new Uint8Array(1)],
  ["Error", new Error("e")],
  ["RegExp", /x/],
  ["Promise", Promise.resolve()],
);

Deno.test("toJsonText() is read back as the same value", () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = toJsonText(value, "payload", Infinity);
      assertEquals(JSON.parse(text), plain(value));
      assert(text.isWellFormed(), "a lone surrogate would not survive UTF-8");
      assertEquals(toJsonText(JSON.parse(text), "payload", Infinity), text);
    }),
    PARAMETERS,
  );
});

Deno.test("toJsonText() takes exactly as many bytes of UTF-8 as allowed", () => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
      assertEquals(toJsonText(value, "payload", bytes), JSON.stringify(value));
      const error = assertThrows(() => toJsonText(value, "payload", bytes - 1), RangeError);
      assertEquals(
        error.message,
        `Cannot accept payload of ${bytes} bytes: at most ${bytes - 1} are allowed`,
      );
    }),
    PARAMETERS,
  );
});

Deno.test("toJsonText() refuses what is not JSON, at any place, and names the place", () => {
  const paths = fc.array(fc.oneof(fc.nat({ max: 2 }), fc.constantFrom("key", "x")), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(paths, strangers, values, (path, [name, stranger], beside) => {
      const value = path.reduceRight<unknown>(
        (inner, step) => wrap(inner, step, beside),
        path.length === 0 ? stranger : [stranger],
      );
      const at = path.map((step) => typeof step === "number" ? `[${step}]` : `.${step}`).join("");
      const place = `payload${path.length === 0 ? "" : `${at}[0]`}: `;
      const error = assertThrows(() => toJsonText(value, "payload", Infinity), TypeError, place);
      assert(error.message.includes(name), error.message);
    }),
    PARAMETERS,
  );
});

Deno.test("toJsonText() refuses a cycle, but not the same value at two places", () => {
  fc.assert(
    fc.property(fc.nat({ max: 20 }), values, (depth, beside) => {
      const root: unknown[] = [beside];
      let inner = root;
      for (let level = 0; level < depth; level++) inner.push(inner = [beside, beside]);
      assertEquals(JSON.parse(toJsonText(root, "payload", Infinity)), plain(root as Value));
      inner.push(root);
      assertThrows(() => toJsonText(root, "payload", Infinity), TypeError, "contains itself");
    }),
    { ...PARAMETERS, numRuns: numRuns(300) },
  );
});

Deno.test("toJsonText() takes 200 levels and refuses more, without using up the stack", () => {
  const nested = (levels: number, isArray: boolean): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = isArray ? [value] : { value };
    return value;
  };
  for (const isArray of [true, false]) {
    const text = toJsonText(nested(DEPTH_MAX, isArray), "payload", Infinity);
    assertEquals(JSON.stringify(JSON.parse(text)), text);
    for (const levels of [DEPTH_MAX + 1, 100_000]) {
      const value = nested(levels, isArray);
      assertThrows(() => toJsonText(value, "payload", Infinity), TypeError, "nested deeper");
    }
  }
});

Deno.test("canonicalJson() keeps the value and gives the same text in whatever order the keys were set", () => {
  fc.assert(
    fc.property(values, fc.nat(), (value, seed) => {
      const text = canonicalJson(value);
      assertEquals(JSON.parse(text), plain(value));
      assertEquals(canonicalJson(rearranged(value, seed)), text);
      assertEquals(canonicalJson(JSON.parse(text)), text);
    }),
    PARAMETERS,
  );
});

Deno.test("canonicalJson() gives different values different texts", () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      assertEquals(canonicalJson(a) === canonicalJson(b), isSame(a, b));
      assertEquals(canonicalJson([a]) === canonicalJson({ 0: a }), false);
      assertEquals(canonicalJson({ a, b }) === canonicalJson({ a: b, b: a }), isSame(a, b));
    }),
    PARAMETERS,
  );
});

Deno.test("canonicalJson() writes keys in ascending order, those that look like indexes first", () => {
  const text = canonicalJson({ b: { z: 1, y: 2 }, a: 1, 10: 1, 9: 1, B: 1 });
  assertEquals(text, '{"9":1,"10":1,"B":1,"a":1,"b":{"y":2,"z":1}}');
});

/** `inner` at `step` of a container, with other members before it. */
function wrap(inner: unknown, step: number | string, beside: Value): unknown {
  return typeof step === "number"
    ? [...Array.from({ length: step }, () => beside), inner]
    : { before: beside, [step]: inner };
}

/** The value as JSON has it: −0 is 0. */
function plain(value: Value): Value {
  if (value === 0) return 0;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

/** An equal value whose objects got their keys in another order. */
function rearranged(value: Value, seed: number): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((part) => rearranged(part, seed));
  const entries = Object.entries(value).map(([key, part]) =>
    [key, rearranged(part, seed)] as const
  );
  const at = entries.length === 0 ? 0 : seed % entries.length;
  return Object.fromEntries([...entries.slice(at), ...entries.slice(0, at)].reverse());
}

function isSame(a: Value, b: Value): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length &&
      a.every((part, i) => isSame(part, b[i]!));
  }
  const names = Object.keys(a);
  return names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(a[name]!, b[name]!));
}
