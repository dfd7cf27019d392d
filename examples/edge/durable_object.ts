/**
 * The application as a Durable Object of Cloudflare's workers: one object, which all requests go to, holds the queue.
 *
 * The object is put to sleep when nothing asks it, and with it the worker; an alarm wakes it while there is something left to do.
 */
import { loadSqlEngine, type SqlJsLoader } from "../../src/core.ts";
import { type Edge, openEdge } from "./app.ts";
import { KeyValueStorage, type KeyValueStore } from "./key_value_storage.ts";

/** What is used of a Durable Object's state. */
export interface ObjectState {
  readonly storage: KeyValueStore & { setAlarm(atMs: number): Promise<void> };
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>;
}

/** The names that the configuration gives. */
export interface Environment {
  readonly QUEUE: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

/** How long the object may sleep while tasks or schedules are left, in milliseconds. */
const WAKE_MS = 30_000;

/** How long a wake-up waits for what is due, in milliseconds. */
const AWAKE_MS = 5000;

/** The class of the object. sql.js and its WASM are the entry's to import, as its bundler has them. */
export function queueObject(
  initSqlJs: SqlJsLoader,
  wasm: WebAssembly.Module,
): new (state: ObjectState) => { fetch(request: Request): Promise<Response> } {
  return class QueueObject {
    readonly #state: ObjectState;
    readonly #edge: Promise<Edge>;

    constructor(state: ObjectState) {
      this.#state = state;
      this.#edge = state.blockConcurrencyWhile(async () => {
        const engine = await loadSqlEngine(initSqlJs, wasm);
        return await openEdge({ engine, storage: new KeyValueStorage(state.storage) });
      });
    }

    async fetch(request: Request): Promise<Response> {
      const { app } = await this.#edge;
      const response = await app.fetch(request);
      await this.#wakeLater();
      return response;
    }

    /** Opening the queue has started its worker; this waits until that has had time to claim, and while it works. */
    async alarm(): Promise<void> {
      const { runningCount } = await this.#edge;
      const untilMs = Date.now() + AWAKE_MS;
      do {
        await new Promise((resolve) => setTimeout(resolve, 500));
      } while (runningCount() > 0 && Date.now() < untilMs);
      await this.#wakeLater();
    }

    async #wakeLater(): Promise<void> {
      const { queue } = await this.#edge;
      const { byStatus: { queued, leased } } = await queue.stats();
      const schedules = await queue.listSchedules({ limit: 1 });
      if (queued + leased + schedules.length > 0) {
        await this.#state.storage.setAlarm(Date.now() + WAKE_MS);
      }
    }
  };
}

/** Gives every request to the one object. */
export function answer(request: Request, { QUEUE }: Environment): Promise<Response> {
  return QUEUE.get(QUEUE.idFromName("queue")).fetch(request);
}
