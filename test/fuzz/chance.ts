/**
 * Reproducible chance for fuzzing: rubbish of every kind, and valid things bent a little.
 */
import type { Random } from "../../src/domain/random.ts";
import { seededRandom } from "../support/queues.ts";

/** Texts that have broken programs before. */
export const NASTY_TEXTS = [
  ...["", " ", "\u0000", "a\u0000b", "\ud800", "\udc00x", "\u202e", "\ufeff", "\u007f", "\u0085"],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "toJSON", "then"],
  ...["null", "undefined", "NaN", "true", "-0", "0", "1", "-1", "1.5", "1e3", "0x10", "１"],
  ...[
    "9007199254740991",
    "9007199254740993",
    "99999999999999999999",
    "1e400",
    "-9223372036854775809",
  ],
  ...["..", "../../etc/passwd", "%00", "%2e%2e%2f", "%ff", "%", "%zz", "{id}", "*", ":id", "run:1"],
  ...["' OR 1=1 --", '"; DROP TABLE task_queue; --', "<script>", "${x}", "\r\nX-Injected: 1"],
  ...["😀", "é", "e\u0301", "ß", "İ", "2026-02-30T00:00:00Z", "2026-01-31T12:00:00Z", "+10s"],
] as const;

const NASTY_NUMBERS = [
  ...[0, -0, 1, -1, 0.5, 1000, 1001, 1e21, 1e308, 5e-324],
  ...[2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, -(2 ** 53)],
];

/** Chance with a seed. */
export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** An integer from 0 to `below` − 1. */
  below(below: number): number {
    return Math.floor(this.#random() * below);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of these. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** The result of one of these. */
  choose<T>(...makers: readonly (() => T)[]): T {
    return this.pick(makers)();
  }

  /** Up to `max` results of `make`. */
  some<T>(max: number, make: () => T): T[] {
    return Array.from({ length: this.below(max + 1) }, make);
  }

  /** Any text. */
  text(): string {
    return this.choose<string>(
      () => this.pick(NASTY_TEXTS),
      () => this.pick(NASTY_TEXTS) + this.pick(NASTY_TEXTS),
      () => this.some(12, () => String.fromCharCode(this.below(0x250))).join(""),
      () => this.some(6, () => String.fromCharCode(this.below(0x10000))).join(""),
      () =>
        this.pick(["x", "é", "😀", "%41", " "]).repeat(this.pick([1, 199, 200, 201, 256, 5000])),
    );
  }

  /** Any JSON value, not deep. */
  json(depth = 3): unknown {
    const leaf = this.oneIn(2) || depth === 0;
    if (leaf) return this.pick<unknown>([null, true, false, this.text(), this.pick(NASTY_NUMBERS)]);
    if (this.oneIn(2)) return this.some(4, () => this.json(depth - 1));
    return Object.fromEntries(this.some(4, () => [this.text(), this.json(depth - 1)]));
  }

  /** `object` with a member left out, replaced or added, in itself or in an object within it. */
  bendObject(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const entries = Object.entries(object);
    const inner = entries.filter(([, value]) => isObject(Array.isArray(value) ? value[0] : value));
    if (inner.length > 0 && this.oneIn(2)) {
      const [name, value] = this.pick(inner) as [string, Record<string, unknown>];
      const bent = Array.isArray(value)
        ? [this.bendObject(value[0]), ...value.slice(1)]
        : this.bendObject(value);
      return { ...object, [name]: bent };
    }
    const at = this.below(entries.length + 1);
    const name = entries[at]?.[0] ?? this.text();
    const bent = this.choose<[string, unknown][]>(
      () => [],
      () => [[name, this.json()]],
      () => [[name, this.pick(NASTY_NUMBERS)]],
      () => [[name, this.text()]],
      () => [[this.text(), entries[at]?.[1]]],
    );
    return Object.fromEntries([...entries.slice(0, at), ...bent, ...entries.slice(at + 1)]);
  }

  /** `bytes` with some of them flipped, doubled, left out, cut off or made up. */
  bendBytes(bytes: Uint8Array): Uint8Array {
    let bent = [...bytes];
    for (let times = 1 + this.below(4); times > 0 && bent.length > 0; times--) {
      const at = this.below(bent.length + 1);
      bent = this.choose(
        () => bent.with(Math.min(at, bent.length - 1), this.below(256)),
        () => [...bent.slice(0, at), ...bent.slice(at + 1 + this.below(8))],
        () => [...bent.slice(0, at), this.below(256), ...bent.slice(at)],
        () => [...bent.slice(0, at), ...bent.slice(Math.max(0, at - this.below(20)))],
        () => bent.slice(0, at),
      );
    }
    return new Uint8Array(bent);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Fails with the seed and the input unless `work` ends within two minutes: what takes longer hangs, on the slowest machine too. */
export async function bounded<T>(work: Promise<T>, what: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`${what} hangs`)), 120_000);
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Counts of what was tried and how it ended, by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, this.get(name) + 1);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** One line, in alphabetical order. */
  toString(): string {
    const entries = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.map(([name, count]) => `${name} ${count}`).join(", ");
  }
}
