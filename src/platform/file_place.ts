/**
 * Whether an open file is still the one at its path: device and file number agree.
 *
 * A number belongs to one file as long as that is open, so a file that was deleted and made anew is another one.
 */
/** An open file's place. */
export class FilePlace {
  readonly path: string;
  readonly #opened: Deno.FileInfo;

  /** The place in which `file` was opened. */
  constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#opened = file.statSync();
  }

  /** Whether the file is at its path, and no other and none. */
  isKept(): boolean {
    try {
      return isSameFile(this.#opened, Deno.statSync(this.path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
}

function isSameFile(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
