/**
 * The bytes of a file, and how they change.
 */

/** A change to a file. */
export type Edit =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

/** Bytes that grow in place. */
export class FileContent {
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The bytes, valid until the next change. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#size);
  }

  apply(edit: Edit): void {
    if (edit.kind === "truncate") return this.#resize(edit.size);
    if (edit.bytes.length === 0) return;
    const end = edit.offset + edit.bytes.length;
    if (edit.offset > this.#size) this.#resize(edit.offset);
    this.#reserve(end);
    this.#buffer.set(edit.bytes, edit.offset);
    this.#size = Math.max(this.#size, end);
  }

  become(other: FileContent): void {
    this.#buffer = other.bytes().slice();
    this.#size = other.size;
  }

  /** What was not written between the old end and a new one reads as zeros. */
  #resize(size: number): void {
    this.#reserve(size);
    if (size > this.#size) this.#buffer.fill(0, this.#size, size);
    this.#size = size;
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(size, this.#buffer.length * 2, 1024));
    larger.set(this.bytes());
    this.#buffer = larger;
  }
}
