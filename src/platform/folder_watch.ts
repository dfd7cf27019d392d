/**
 * A watch on the files of a folder, by the system's own notices.
 *
 * There are places where no notice ever comes (some network drives, some containers), so a watch must prove itself: it
 * touches a file of its own and is believed once it has been told of that.
 */
import { basename } from "node:path";

/** How long a system may take to report the touched file. */
const PROOF_MS = 1000;

/** Whether watches work for a folder, as far as it is known. */
export type WatchTrust = "untried" | "proven" | "useless";

/** What is watched. */
export interface FolderWatchOptions {
  readonly folder: string;
  /** Whether a change of the file with this name is to be told. */
  readonly isWatched: (name: string) => boolean;
  readonly onChange: () => void;
  /** A file in the folder that may be touched; its name is not watched. */
  readonly proofPath: string;
  /** Whether this is that file's name, as the system may write it. */
  readonly isProof: (name: string) => boolean;
  /** What an earlier watch found out. */
  readonly trust: WatchTrust;
  /** Is told what this one finds out. */
  readonly onTrust: (trust: WatchTrust) => void;
}

/** A running watch. */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  readonly #watcher: Deno.FsWatcher;
  #trust: WatchTrust;
  #proofTimer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  /** Begins at once. @throws Error when the system refuses. */
  constructor(options: FolderWatchOptions) {
    this.#options = options;
    this.#trust = options.trust;
    this.#watcher = Deno.watchFs(options.folder, { recursive: false });
    this.#listen().catch(() => this.#decide("useless"));
    if (this.#trust === "untried") this.#prove();
  }

  get isProven(): boolean {
    return this.#trust === "proven";
  }

  stop(): void {
    if (this.#proofTimer !== undefined) clearTimeout(this.#proofTimer);
    if (!this.#isStopped) this.#watcher.close();
    this.#isStopped = true;
  }

  #prove(): void {
    const now = new Date();
    try {
      Deno.utimeSync(this.#options.proofPath, now, now);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#proofTimer = setTimeout(() => this.#decide("useless"), PROOF_MS);
  }

  async #listen(): Promise<void> {
    for await (const event of this.#watcher) {
      if (this.#isStopped) return;
      if (event.kind !== "access") this.#onEvent(event.paths.map((path) => basename(path)));
    }
  }

  #onEvent(names: readonly string[]): void {
    if (names.some(this.#options.isProof)) this.#decide("proven");
    if (names.length === 0 || names.some(this.#options.isWatched)) this.#options.onChange();
  }

  #decide(trust: WatchTrust): void {
    if (this.#isStopped || this.#trust === trust) return;
    if (this.#proofTimer !== undefined) clearTimeout(this.#proofTimer);
    this.#trust = trust;
    this.#options.onTrust(trust);
    if (trust === "useless") this.stop();
  }
}
