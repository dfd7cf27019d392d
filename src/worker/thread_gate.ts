/**
 * The gate of a handler's thread: all that leaves the thread passes it, and only as fast as the worker reads.
 *
 * A thread may be ahead of the worker by `CREDITS_MAX` messages; at the next one it waits, so that a handler that posts in
 * a loop does not fill the memory and leaves the worker its turns. A thread that is to end does so at the gate at the latest:
 * the platform's `terminate()` does not stop a thread that never rests, but a thread that closes itself stops at once.
 */

/** How many messages a thread may have sent that the worker has not read yet. */
export const CREDITS_MAX = 1000;

/** Where the numbers are that both sides see: how many messages the worker has read, and whether the thread is to end. */
const READ = 0;
const ENDING = 1;

/** The worker's messages to the gate. */
export type ToGate =
  | { readonly kind: "credits"; readonly shared: SharedArrayBuffer }
  | { readonly kind: "end" };

/** The part of a thread's global scope that the gate guards. */
export interface GuardedScope {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  close(): void;
  addEventListener(type: "message", listener: (event: { readonly data?: unknown }) => void): void;
}

/** Puts the gate before `postMessage`. Call it before any of the handler's code runs. */
export function guard(scope: GuardedScope): void {
  const post = scope.postMessage.bind(scope);
  const close = scope.close.bind(scope);
  let numbers: Int32Array | undefined;
  let sent = 0;
  const end = (): never => {
    close();
    for (;;);
  };
  const pass = (): void => {
    if (numbers === undefined) return checkHead(sent);
    for (;;) {
      const read = Atomics.load(numbers, READ);
      if (Atomics.load(numbers, ENDING) !== 0) end();
      if (((sent - read) | 0) < CREDITS_MAX) return;
      Atomics.wait(numbers, READ, read);
    }
  };
  scope.postMessage = (message, transfer = []) => {
    pass();
    post(message, transfer);
    sent = (sent + 1) | 0;
  };
  scope.addEventListener("message", ({ data }) => {
    const message = data as Partial<ToGate> | null;
    if (message?.kind === "credits") numbers = new Int32Array(message.shared!);
    if (message?.kind === "end") end();
  });
}

/** A module's first lines run before the worker can say anything. */
function checkHead(sent: number): void {
  if (sent < CREDITS_MAX) return;
  throw new Error(`Cannot post more than ${CREDITS_MAX} messages while the module is loaded`);
}

/** The worker's side of a gate. */
export class GateKeeper {
  readonly #shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  readonly #numbers = new Int32Array(this.#shared);
  #heard = 0;
  #granted = 0;

  /** What the gate has to be told first. */
  get greeting(): ToGate {
    return { kind: "credits", shared: this.#shared };
  }

  /** Counts a message; `false` when more came than the gate lets through, so something goes past it. */
  hear(): boolean {
    this.#heard++;
    return this.#heard - this.#granted <= CREDITS_MAX;
  }

  /** Whether the thread should be allowed more; for honest ones that is never. */
  get isDue(): boolean {
    return this.#heard - this.#granted >= CREDITS_MAX / 2;
  }

  /** Lets through as many again as were heard. */
  grant(): void {
    this.#granted = this.#heard;
    Atomics.store(this.#numbers, READ, this.#heard | 0);
    Atomics.notify(this.#numbers, READ);
  }

  /** Ends the thread at its gate, also if it waits there. */
  shut(): void {
    Atomics.store(this.#numbers, ENDING, 1);
    this.grant();
  }
}
