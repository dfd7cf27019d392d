/**
 * HistoryFile: the port for the one file that a registry keeps its runs in.
 *
 * The file is only ever replaced as a whole, so that it holds either what it held before or what was written last.
 */

import { StorageError } from "../domain/errors.ts";

/** It is another program's file, or a newer version's: it is left as it is, and only another path helps. */
export class ForeignFileError extends StorageError {
  constructor(path: string, reason: string) {
    super("keep runs in", path, reason);
  }
}

/** A file that is read once and replaced as a whole. Every failure is a `StorageError`. */
export interface HistoryFile {
  /** The path, for messages. */
  readonly path: string;
  /** Its bytes, or `undefined` when it does not exist. @throws ForeignFileError when what is beside it says whose it is. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Puts these bytes in its place in one step, durable before it resolves. What fails leaves it as it was. */
  replace(chunks: Iterable<Uint8Array>): Promise<void>;
  /** Keeps a copy of it under a free name beside it, durable before it resolves; gives the copy's path. */
  keepAside(): Promise<string>;
}
