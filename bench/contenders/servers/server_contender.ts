/**
 * A contender whose tasks are on a server: as `Contender`, but that its workers are in any process, so the server itself says
 * when all is done.
 */
import type { Survives } from "../../figures.ts";
import type { Subject } from "../../measure.ts";

/** What a worker does with a task; it is given nothing, and what it resolves to is the result. */
export type Handler = () => Promise<unknown>;

/** Stops a worker. */
export type StopWorking = () => Promise<void>;

/** One way to keep tasks on a server. */
export interface ServerContender extends Subject {
  /** Stores a task; resolves when it is acknowledged. */
  enqueue(n: number): Promise<void>;
  /** Stores `count` tasks at once. */
  enqueueBatch(count: number): Promise<void>;
  /** Claims up to `limit` tasks and completes them, each by itself where that is possible; how many there were. */
  readonly claimAndComplete?: (limit: number) => Promise<number>;
  /** Begins to run tasks, up to `concurrency` at a time, by its own worker. */
  work(concurrency: number, handler: Handler): Promise<StopWorking>;
  /** Whether any task has not ended yet. */
  hasOpen(): Promise<boolean>;
  close(): Promise<void>;
}

/** How many connections each has to the database, but for its listener: the default of most. */
export const CONNECTIONS = 10;

/** A server; Redis by how it waits for the disk. */
export type ServerKind = "postgres" | "redis always" | "redis everysec";

/** A contender that can be made again in another process. */
export interface ServerEntrant {
  readonly name: string;
  readonly survives: Survives;
  /** Which server it needs. */
  readonly server: ServerKind;
  /** Enters with tables of its own, called after `space`, which are made if they are not there. */
  readonly enter: (url: string, space: string) => Promise<ServerContender>;
}
