/**
 * Output as lines: bytes that arrive in any portions become lines, none lost and none made up.
 *
 * A line ends with LF or CRLF; the last one may do without. What is not UTF-8 becomes U+FFFD, as if all bytes had been
 * decoded at once.
 */

/** A line that grows longer than this is cut into pieces of this many UTF-16 units, so that memory has a bound. */
export const LINE_MAX_LENGTH = 1_048_576;

/** Makes lines of portions of bytes. */
export class OutputLines {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #maxLength: number;
  #rest = "";

  /** Lines of at most `maxLength` UTF-16 units, at least 2. */
  constructor(maxLength: number = LINE_MAX_LENGTH) {
    this.#maxLength = maxLength;
  }

  /** The lines that end in `bytes`. */
  push(bytes: Uint8Array): string[] {
    return this.#split(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The last line, when it ended without a line break. */
  finish(): string[] {
    const lines = this.#split(this.#decoder.decode());
    if (this.#rest !== "") lines.push(this.#rest);
    this.#rest = "";
    return lines;
  }

  #split(text: string): string[] {
    const parts = (this.#rest + text).split("\n");
    const rest = parts.pop()!;
    const lines = parts.flatMap((line) =>
      this.#pieces(line.endsWith("\r") ? line.slice(0, -1) : line)
    );
    // A carriage return at the end may turn out to be half of a line break, so it does not justify a cut.
    const carriageReturn = rest.endsWith("\r") ? "\r" : "";
    const open = this.#pieces(rest.slice(0, rest.length - carriageReturn.length));
    this.#rest = open.pop()! + carriageReturn;
    return [...lines, ...open];
  }

  /** `line` itself, or its pieces. A pair of surrogates is never taken apart. */
  #pieces(line: string): string[] {
    const found: string[] = [];
    let at = 0;
    while (line.length - at > this.#maxLength) {
      const last = line.charCodeAt(at + this.#maxLength - 1);
      const end = at + this.#maxLength - (last >= 0xd800 && last < 0xdc00 ? 1 : 0);
      found.push(line.slice(at, end));
      at = end;
    }
    found.push(line.slice(at));
    return found;
  }
}
