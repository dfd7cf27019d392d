/**
 * A pool of connections: a few, made when they are needed, each used by one at a time.
 */

/** How connections are made and ended. */
export interface PoolTools<Connection> {
  readonly connect: () => Promise<Connection>;
  readonly disconnect: (connection: Connection) => Promise<void>;
  /** How many there are at most. */
  readonly sizeMax: number;
}

/** How long closing waits for connections that are in use. */
const CLOSE_MAX_MS = 5000;

interface Waiter<Connection> {
  readonly resolve: (connection: Connection | Promise<Connection>) => void;
  readonly reject: (error: unknown) => void;
}

/** Gives connections to those who ask, in the order in which they ask. */
export class ConnectionPool<Connection> {
  readonly #tools: PoolTools<Connection>;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  #waiting: Waiter<Connection>[] = [];
  #connecting = 0;
  #ending = 0;
  #isClosed = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(tools: PoolTools<Connection>) {
    this.#tools = tools;
  }

  /** A connection that nobody else uses; it is to be given back. */
  take(): Promise<Connection> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return Promise.resolve(idle);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#connectForWaiting();
    });
  }

  /** Gives a connection back. One that was lost is forgotten. */
  give(connection: Connection): void {
    if (!this.#all.has(connection)) return this.#connectForWaiting();
    const next = this.#waiting.shift();
    if (next !== undefined) next.resolve(connection);
    else if (this.#isClosed) this.#end(connection);
    else this.#idle.push(connection);
  }

  /** A connection is of no use any more. */
  lose(connection: Connection): void {
    this.#all.delete(connection);
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#connectForWaiting();
    this.#noteEnd();
  }

  /** Ends each connection once it is given back; resolves when all have ended, or after five seconds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) this.#end(connection);
    this.#noteEnd();
    const timer = setTimeout(() => this.#ended.resolve(), CLOSE_MAX_MS);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  #connectForWaiting(): void {
    const isRoom = this.#all.size + this.#connecting < this.#tools.sizeMax;
    if (!isRoom || this.#waiting.length <= this.#connecting) return;
    this.#connecting++;
    this.#tools.connect().then(
      (connection) => {
        this.#connecting--;
        this.#all.add(connection);
        this.give(connection);
      },
      (error) => {
        this.#connecting--;
        this.#waiting.shift()?.reject(error);
        this.#connectForWaiting();
        this.#noteEnd();
      },
    );
  }

  #end(connection: Connection): void {
    this.#all.delete(connection);
    this.#ending++;
    this.#tools.disconnect(connection).catch(() => {}).finally(() => { // it may be lost already
      this.#ending--;
      this.#noteEnd();
    });
  }

  #noteEnd(): void {
    const left = this.#all.size + this.#connecting + this.#ending;
    if (this.#isClosed && left === 0) this.#ended.resolve();
  }
}
