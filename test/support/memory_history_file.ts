/**
 * A history file in memory, in the hands of a test: it counts what happens to it and fails when told to.
 */
import { StorageError } from "../../src/domain/errors.ts";
import type { HistoryFile } from "../../src/manager/history_file.ts";

/** Holds the bytes of one file, and the copies that were kept aside. */
export class MemoryHistoryFile implements HistoryFile {
  readonly path = "runs.history";
  bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly aside: Uint8Array<ArrayBuffer>[] = [];
  /** How often the file was replaced. */
  replaced = 0;
  /** Called at the begin of each operation; what it throws is the operation's failure. */
  before: (operation: keyof HistoryFile) => Promise<void> | void = () => {};

  constructor(content?: string | Uint8Array<ArrayBuffer>) {
    this.bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    await this.before("read");
    return this.bytes;
  }

  async replace(chunks: Iterable<Uint8Array>): Promise<void> {
    const parts: BlobPart[] = [];
    for (const chunk of chunks) parts.push(chunk.slice());
    await this.before("replace");
    this.replaced++;
    this.bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  async keepAside(): Promise<string> {
    await this.before("keepAside");
    this.aside.push(this.bytes!);
    return `${this.path}.damaged-${this.aside.length}`;
  }
}

/** What a full disk says. */
export const DISK_FULL = new StorageError("write", "runs.history", "no space left on device");
