/**
 * Workers: what they say of themselves, and what the queue knows of them.
 */
import type { ClaimOrder } from "../domain/claim_order.ts";

/** A worker's description of itself, sent with each heartbeat. */
export interface WorkerBeat {
  /** 1–200 characters, unique among the workers of a queue. */
  readonly workerId: string;
  /** Its capabilities; a JSON object of at most 4 KiB. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** The task types that it has handlers for, at most 1,000. */
  readonly types: readonly string[];
  /** How many tasks it runs at the same time, 1–1000. */
  readonly concurrency: number;
  /** Which due task it takes first; default `priority`. */
  readonly strategy?: ClaimOrder;
  /** How many tasks of single types it runs at the same time at most, each 1–1000; default no limits but `concurrency`. */
  readonly typeLimits?: Readonly<Record<string, number>>;
  /** Which version of Holdfast, or of another program, it runs; 1–100 characters, default `null`: it is not known. */
  readonly version?: string | null;
  /** What it runs on, for example `Deno/2.9.6`; 1–100 characters, default `null`: it is not known. */
  readonly runtime?: string | null;
}

/**
 * How a worker is, by the age of its last heartbeat: `active` up to 60 s, `limbo` up to 300 s, `stale` after that. One
 * that was silent for a day is forgotten.
 */
export type WorkerState = "active" | "limbo" | "stale";

/** A worker that has sent heartbeats. */
export interface WorkerRecord extends Required<WorkerBeat> {
  /** How it is, by the age of its last heartbeat. */
  readonly state: WorkerState;
  /** When its first heartbeat came, or the first after it was retired. */
  readonly startedAt: Date;
  /** When its last heartbeat came. */
  readonly heartbeatAt: Date;
  /** How many tasks it holds leases of. */
  readonly leasedTasks: number;
  /** How many of its `concurrency` slots are in use. Work that a task manager was given itself takes none. */
  readonly slotsInUse: number;
  /** How many of them by each type in `typeLimits`. */
  readonly typeSlotsInUse: Readonly<Record<string, number>>;
}
