/**
 * Text from outside, as bytes and as JSON: what would be stored otherwise than it was written is found before it is.
 */

/** The marks with which a string may begin to say its encoding. UTF-8's own mark is not among them: its decoder drops it. */
const MARKS: readonly (readonly [first: number, second: number, encoding: string])[] = [
  [0xff, 0xfe, "utf-16le"],
  [0xfe, 0xff, "utf-16be"],
];

const REPLACEMENT = "\ufffd";
const REPLACEMENT_BYTES = [0xef, 0xbf, 0xbd];

/**
 * The text of bytes that are UTF-8, or UTF-16 with a byte order mark, as PowerShell 5.1 writes it.
 *
 * @throws TypeError with the place and value of the first byte that is neither.
 */
export function decodeText(bytes: Uint8Array): string {
  const marked = MARKS.find(([first, second]) => bytes[0] === first && bytes[1] === second);
  if (marked === undefined) return decodeUtf8(bytes);
  const [, , encoding] = marked;
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TypeError(`it is not ${encoding.toUpperCase()}`, { cause });
  }
}

/** The text of bytes that are UTF-8. @throws TypeError with the place and value of the first byte that is not. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const at = firstWrongByte(bytes);
    throw new TypeError(`it is not UTF-8: byte ${at} is 0x${bytes[at]?.toString(16)}`, { cause });
  }
}

/** Where the first replacement character stands for bytes other than its own. */
function firstWrongByte(bytes: Uint8Array): number {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const encoder = new TextEncoder();
  let offset = 0;
  for (let from = 0;;) {
    const to = text.indexOf(REPLACEMENT, from);
    offset += encoder.encode(text.slice(from, to)).length;
    if (REPLACEMENT_BYTES.some((byte, index) => bytes[offset + index] !== byte)) return offset;
    offset += REPLACEMENT_BYTES.length;
    from = to + 1;
  }
}

/** A number that JavaScript cannot hold: how it is written, and what it would become. */
export interface RoundedNumber {
  /** As it stands in the text. */
  readonly source: string;
  /** The number that JavaScript makes of it; infinite when it is too large. */
  readonly value: number;
}

/** Matches every string in which a number may be rounded: it has a long row of digits, or a large exponent. */
const SUSPECT = /[\d.]{16}|[eE][+-]?\d{3}/;

/** So many digits of a fraction always make a difference, and no program writes more of them to tell two numbers apart. */
const FRACTION_DIGITS = 17;

/** The first number in the JSON text that would not be kept as it is written; `undefined` when there is none. */
export function roundedNumber(text: string): RoundedNumber | undefined {
  if (!SUSPECT.test(text)) return undefined;
  let found: RoundedNumber | undefined;
  const look = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    if (found === undefined && typeof value === "number" && source !== undefined) {
      if (!isKept(source, value)) found = { source, value };
    }
    return value;
  };
  try {
    JSON.parse(text, look);
  } catch (thrown) {
    // It is not JSON, or nested too deeply to be walked and far too deeply to be stored: the reader of its value reports that.
    if (!(thrown instanceof SyntaxError || thrown instanceof RangeError)) throw thrown;
  }
  return found;
}

function isKept(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  // what JavaScript itself writes for it
  if (String(value) === source) return true;
  if (/^-?\d+$/.test(source)) return BigInt(source) === BigInt(value);
  const digits = source.replace(/[eE].*$/, "").replace(/[-.]/g, "").replace(/^0+/, "");
  if (value === 0 && digits !== "") return false;
  return digits.replace(/0+$/, "").length <= FRACTION_DIGITS;
}
