/**
 * ConcurrentExecutor: runs a batch of scripts, up to `maxConcurrent` at a time, and reports how each of them went.
 *
 * The outcomes stand in the order of the batch, and one that fails changes nothing for the others.
 */
import { messageOf } from "../domain/errors.ts";
import {
  executeModule,
  type ModuleResult,
  requestOf,
  type ScriptOptions,
} from "./execute_module.ts";
import type { Processes } from "./processes.ts";
import { ResourcePool, type Resources } from "./resource_pool.ts";

/** A script of a batch. */
export interface ScriptJob extends ScriptOptions {
  /** The path of the script. */
  readonly script: string;
  /** Its arguments; default none. */
  readonly args?: readonly string[];
}

/** How a script of a batch went: it ended, with whatever exit code; or it could not run, or was aborted. */
export type ConcurrentOutcome =
  | ({ readonly status: "completed" } & ModuleResult)
  | { readonly status: "failed"; readonly errorMessage: string };

/** How many scripts run at the same time unless said otherwise. */
export const MAX_CONCURRENT_DEFAULT = 10;

/** Runs batches of scripts. The limit holds over all batches of one executor. */
export class ConcurrentModules {
  readonly #processes: Processes;
  readonly #pool: ResourcePool;
  readonly #resources: Resources | undefined;

  /** Runs scripts on `processes`. @throws TypeError, RangeError unless `maxConcurrent` is an integer from 1 to 10,000. */
  constructor(processes: Processes, maxConcurrent: number, resources?: Resources) {
    this.#processes = processes;
    this.#pool = new ResourcePool(maxConcurrent);
    this.#resources = resources;
  }

  /** Runs all of `jobs` and resolves to their outcomes, in the same order. Never rejects. */
  async executeBatch(jobs: readonly ScriptJob[]): Promise<ConcurrentOutcome[]> {
    return await Promise.all(jobs.map((job) => this.#outcomeOf(job)));
  }

  async #outcomeOf(job: ScriptJob): Promise<ConcurrentOutcome> {
    try {
      const result = await this.#pool.run(() => this.#execute(job), job.signal);
      return { status: "completed", ...result };
    } catch (error) {
      return { status: "failed", errorMessage: messageOf(error) };
    }
  }

  async #execute(job: ScriptJob): Promise<ModuleResult> {
    const release = await this.#resources?.acquire(job.signal);
    try {
      job.signal?.throwIfAborted();
      const request = requestOf(job.script, job.args ?? [], job);
      return await executeModule(this.#processes, request, job);
    } finally {
      release?.();
    }
  }
}
