/**
 * The bound of fair share over many starts: groups come and go, are paused and fill, and workers take one task or many.
 */
import { assert, assertEquals } from "@std/assert";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { Chance } from "../simulation/chance.ts";
import { EventLog } from "../simulation/event_log.ts";
import { FairAudit } from "../simulation/fair_audit.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

const TYPE = "t";
const WEIGHTS: Readonly<Record<string, number>> = { "": 1, a: 1, b: 3, c: 0.5, d: 1, e: 10 };
const GROUPS = Object.keys(WEIGHTS);
const BACKLOG_MAX = 300;

/** A queue whose tasks come and start by chance, and what must be true of its groups. */
class Market {
  readonly log = new EventLog();
  readonly #queue: TaskQueue;
  readonly #chance: Chance;
  readonly #paused = new Set<string>();
  readonly #limits = new Map<string, number>();
  readonly #running: Task[] = [];
  readonly #audit = new FairAudit(this.log, {
    mayStart: (_type, grp) => !this.#paused.has(grp) && this.#heldOf(grp) < this.#limitOf(grp),
    weightOf: (_type, grp) => WEIGHTS[grp]!,
  });
  #backlog = 0;
  starts = 0;

  constructor(queue: TaskQueue, seed: number) {
    this.#queue = queue;
    this.#chance = new Chance(seed);
  }

  async step(): Promise<void> {
    const [queue, chance] = [this.#queue, this.#chance];
    const grp = chance.pick(GROUPS);
    switch (chance.weighted({ come: 3, start: 6, end: 4, limit: 0.2, pause: 0.2, resume: 0.3 })) {
      case "come":
        return await this.#come(grp);
      case "start":
        return await this.#start();
      case "end": {
        const ended = this.#running.splice(0, chance.below(this.#running.length + 1));
        return void await Promise.all(ended.map((task) => queue.complete(task)));
      }
      case "limit": {
        if (grp === "") return;
        this.#limits.set(grp, 1 + chance.below(8));
        const limit = { concurrency: this.#limitOf(grp), weight: WEIGHTS[grp]! };
        return void await queue.setLimit({ group: grp }, limit);
      }
      case "pause":
        if (grp === "") return;
        this.#paused.add(grp);
        return void await queue.pause({ type: TYPE, group: grp });
      case "resume":
        if (!this.#paused.delete(grp)) return;
        return void await queue.resume({ type: TYPE, group: grp });
    }
  }

  async #come(grp: string): Promise<void> {
    if (this.#backlog > BACKLOG_MAX) return;
    const count = this.#chance.pick([1, 1, 3, 40]);
    const tasks = Array.from(
      { length: count },
      () => ({ type: TYPE, group: grp || undefined, priority: 1 + this.#chance.below(9) }),
    );
    for (const { task } of await this.#queue.enqueueBatch(tasks)) this.#audit.note(task, true);
    this.#backlog += count;
  }

  async #start(): Promise<void> {
    const limit = this.#chance.pick([1, 1, 4, 32]);
    const tasks = await this.#queue.claim({ workerId: "w", types: [TYPE], limit });
    for (const task of tasks) {
      this.#audit.note(task, false);
      this.#audit.start(task);
      this.#running.push(task);
    }
    this.starts += tasks.length;
    this.#backlog -= tasks.length;
  }

  #heldOf(grp: string): number {
    return this.#running.filter(({ group }) => (group ?? "") === grp).length;
  }

  #limitOf(grp: string): number {
    return this.#limits.get(grp) ?? Infinity;
  }
}

/** Runs the suite, over as many starts, against queues made by `useQueue`, which are called `name` in the tests. */
export function fairShareContract(name: string, useQueue: UseQueue, starts: number): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "while two groups can start, their starts by weight differ by 1/w1 + 1/w2 at most",
    async (queue) => {
      for (const [group, weight] of Object.entries(WEIGHTS)) {
        if (group !== "") await queue.setLimit({ group }, { weight });
      }
      const market = new Market(queue, 17);
      while (market.starts < starts) await market.step();
      assertEquals(market.log.violations, []);
      const beside = market.log.counts["starts beside another group"] ?? 0;
      assert(beside > market.starts / 2, `${beside} of ${market.starts}`);
    },
  );
}
