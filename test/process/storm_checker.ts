/**
 * What the processes of a storm were told, and what the queue must hold because of it. It knows nothing of how a queue
 * keeps its tasks, only what is promised.
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { Task, TaskQueue } from "../../src/mod.ts";
import type { Claimed, Report } from "./programs/program.ts";

/** Every answer that any process has reported. */
export class StormChecker {
  /** The run that an id was acknowledged for, or has been seen with. */
  readonly #runIds = new Map<number, string>();
  readonly #keys = new Map<string, number>();
  readonly #claims = new Map<string, Claimed>();
  /** The lease token that completed a task, or `null` when it was cancelled. */
  readonly #ends = new Map<number, number | null>();
  /** What final tasks looked like when they were first seen. */
  readonly #final = new Map<number, string>();
  readonly #names = new Set<string>();
  readonly counts: Record<string, number> = {};

  /** Processes of this name may have enqueued. */
  expect(name: string): void {
    this.#names.add(name);
  }

  /** Takes note of a report. Fails when it contradicts an earlier one. */
  note(report: Report): void {
    this.counts[report.kind] = (this.counts[report.kind] ?? 0) + 1;
    if (report.kind === "acknowledged") this.#noteRun(report.id, report.runId, report.key);
    if (report.kind === "claimed") this.#noteClaim(report);
    if (report.kind === "completed") this.#noteEnd(report.taskId, report.leaseToken!);
    if (report.kind === "cancelled") this.#noteEnd(report.taskId, null);
  }

  /** Fails unless `queue` holds all that was acknowledged and nothing that nobody asked for. */
  async check(queue: TaskQueue): Promise<void> {
    const tasks = new Map((await everyTask(queue)).map((task) => [task.id, task]));
    for (const task of tasks.values()) this.#checkTask(task);
    for (const [id, runId] of this.#runIds) {
      assertEquals(tasks.get(id)?.runId, runId, `task ${id} is lost`);
    }
    for (const [id, leaseToken] of this.#ends) this.#checkEnd(tasks.get(id)!, leaseToken);
    this.#checkLeases();
  }

  /** How many tasks there are. */
  get tasks(): number {
    return this.#runIds.size;
  }

  #noteRun(id: number, runId: string, key: string | undefined): void {
    assertEquals(this.#runIds.get(id) ?? runId, runId, `id ${id} was given to two runs`);
    this.#runIds.set(id, runId);
    if (key === undefined) return;
    assertEquals(this.#keys.get(key) ?? id, id, `${key} was given to two tasks`);
    this.#keys.set(key, id);
  }

  #noteClaim(claim: Claimed): void {
    const lease = leaseOf(claim.taskId, claim.leaseToken);
    assert(!this.#claims.has(lease), `lease ${lease} was given twice`);
    this.#claims.set(lease, claim);
  }

  #noteEnd(id: number, leaseToken: number | null): void {
    assert(!this.#ends.has(id), `task ${id} was finished twice`);
    this.#ends.set(id, leaseToken);
  }

  #checkTask(task: Task): void {
    this.#noteRun(task.id, task.runId, undefined);
    const [, name] = /^(.*) [\d.]+$/.exec(task.runId) ?? [];
    assert(this.#names.has(name!) || name === "run of key", `nobody enqueued ${task.runId}`);
    assertEquals(task.attempts, task.leaseToken, `task ${task.id}: each lease is an attempt`);
    assertLessOrEqual(task.attempts, task.maxAttempts);
    if (task.status === "queued" || task.status === "leased") return;
    const look = JSON.stringify(task);
    assertEquals(this.#final.get(task.id) ?? look, look, `task ${task.id} was final`);
    this.#final.set(task.id, look);
  }

  #checkEnd(task: Task, leaseToken: number | null): void {
    const status = leaseToken === null ? "cancelled" : "completed";
    assertEquals(task.status, status, `task ${task.id} was acknowledged as ${status}`);
    if (leaseToken === null) return;
    const result = task.result as { readonly leaseToken: number };
    assertEquals([task.leaseToken, result.leaseToken], [leaseToken, leaseToken]);
  }

  /** Leases are neither renewed nor given back here, so the next one begins when the one before has run out. */
  #checkLeases(): void {
    for (const { taskId, leaseToken, fromMs } of this.#claims.values()) {
      const before = this.#claims.get(leaseOf(taskId, leaseToken - 1));
      if (before === undefined) continue;
      const what = `task ${taskId} was leased again while lease ${leaseToken - 1} was running`;
      assertLessOrEqual(before.untilMs, fromMs, what);
    }
  }
}

/** All tasks, page by page. */
async function everyTask(queue: TaskQueue): Promise<Task[]> {
  const tasks: Task[] = [];
  for (;;) {
    const page = await queue.list({ limit: 1000, beforeId: tasks.at(-1)?.id });
    if (page.length === 0) return tasks;
    tasks.push(...page);
  }
}

function leaseOf(taskId: number, leaseToken: number): string {
  return `${taskId}/${leaseToken}`;
}
