/**
 * What a queue asks of the operating system, in order: the calls of `Deno` that change files, noted as they return.
 */
import { basename, dirname } from "node:path";

/** A call that has returned. `of` is the file's name without the queue's, `.` for its folder, the path of any other. */
export interface SystemCall {
  readonly call: "create" | "write" | "truncate" | "sync" | "rename" | "remove" | "answer";
  readonly of: string;
}

type Prototype = Record<string, (...args: never[]) => unknown>;

/** Notes every call from its making until it is disposed of. One at a time in a process. */
export class SystemCalls implements Disposable {
  readonly noted: SystemCall[] = [];
  readonly #paths = new WeakMap<object, string>();
  readonly #undo: (() => void)[] = [];
  readonly #queueName: string;
  readonly #folder: string;

  constructor(queuePath: string) {
    this.#queueName = basename(queuePath);
    this.#folder = dirname(queuePath);
    for (const name of ["open", "openSync"]) {
      this.#wrap(Deno as never, name, (file, [path, options]) => this.#opened(file, path, options));
    }
    const file = Deno.FsFile.prototype as never;
    for (const name of ["write", "writeSync"]) this.#wrap(file, name, this.#noteFile("write"));
    for (const name of ["sync", "syncSync", "syncData", "syncDataSync"]) {
      this.#wrap(file, name, this.#noteFile("sync"));
    }
    for (const name of ["truncate", "truncateSync"]) {
      this.#wrap(file, name, this.#noteFile("truncate"));
    }
    for (const name of ["rename", "remove"] as const) {
      this.#wrap(Deno as never, name, (_, [path]) => this.#note(name, String(path)));
    }
  }

  /** Notes that a caller was answered. */
  answered(what: string): void {
    this.noted.push({ call: "answer", of: what });
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo) undo();
  }

  #opened(file: unknown, path: unknown, options: unknown): void {
    this.#paths.set(file as object, String(path));
    const { create, truncate } = (options ?? {}) as Deno.OpenOptions;
    if (create && truncate) this.#note("create", String(path));
  }

  #noteFile(call: SystemCall["call"]): (result: unknown, args: unknown[], file: object) => void {
    return (_result, _args, file) => {
      const path = this.#paths.get(file);
      if (path !== undefined) this.#note(call, path);
    };
  }

  #note(call: SystemCall["call"], path: string): void {
    const name = basename(path);
    const isOurs = name === this.#queueName || name.startsWith(`${this.#queueName}.`);
    const own = name.slice(this.#queueName.length + 1);
    const other = path === this.#folder ? "." : path;
    this.noted.push({ call, of: isOurs ? own || "snapshot" : other });
  }

  /** Lets `note` know of each call of `owner[name]` when it has returned, or when its promise has resolved. */
  #wrap(
    owner: Prototype,
    name: string,
    note: (result: unknown, args: unknown[], self: object) => void,
  ): void {
    const original = owner[name]!;
    owner[name] = function (this: object, ...args: never[]): unknown {
      const result = original.apply(this as never, args);
      if (!(result instanceof Promise)) {
        note(result, args, this);
        return result;
      }
      return result.then((value) => {
        note(value, args, this);
        return value;
      });
    };
    this.#undo.push(() => owner[name] = original);
  }
}
