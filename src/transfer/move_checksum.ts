/**
 * A checksum over lines, which two sides must have alike.
 */

const encoder = new TextEncoder();

/** SHA-256 over everything that was compared, part by part: each part's sum covers the one before. */
export class Checksum {
  #text = "";

  /** In hexadecimal; empty before the first part. */
  get text(): string {
    return this.#text;
  }

  /** Adds the lines of both sides; the place of the first that differs, or is missing on one side. */
  async compare(source: readonly string[], target: readonly string[]): Promise<number | undefined> {
    const length = Math.max(source.length, target.length);
    for (let i = 0; i < length; i++) if (source[i] !== target[i]) return i;
    const bytes = encoder.encode([this.#text, ...target].join("\n"));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    this.#text = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return undefined;
  }
}

/** A record as one line: every engine makes records by the same rules, so their fields come in one order. */
export function lineOf(record: unknown): string {
  return JSON.stringify(record);
}
