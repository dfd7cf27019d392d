/**
 * A storage in memory whose disk a test makes fail.
 */
import { type FileName, MemoryStorage, StorageError, type StorageFile } from "../src/mod.ts";

/** The memory that a test queue keeps its tasks in. Commits write to its journal. */
export class TestStorage extends MemoryStorage {
  readonly #reasons = new Set<{ readonly text: string }>();

  /** From now on each commit fails for this reason, and stores nothing, until what this gives is called. */
  fail(text: string): () => void {
    const reason = { text };
    this.#reasons.add(reason);
    return () => void this.#reasons.delete(reason);
  }

  override openFile(name: FileName): StorageFile | undefined {
    const file = super.openFile(name);
    return file && this.#failing(file);
  }

  override createFile(name: FileName): StorageFile {
    return this.#failing(super.createFile(name));
  }

  #failing(file: StorageFile): StorageFile {
    const write = file.write.bind(file);
    return Object.assign(file, {
      write: (offset: number, bytes: Uint8Array): void => {
        for (const { text } of this.#reasons) throw new StorageError("append to", file.path, text);
        write(offset, bytes);
      },
    });
  }
}
