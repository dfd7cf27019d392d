/**
 * Claims of one process on PostgreSQL: those of one kind go to the server together, with the limits that this process knows, and not at
 * all while nothing can have come since the last one found nothing.
 */
import type { ClaimOrder } from "../domain/claim_order.ts";
import type { Task } from "../domain/task.ts";
import type { PreparedClaim } from "../queue_policy/claim_request.ts";
import { CallGroup, GROUP } from "./call_group.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { type Hearing, Quiet } from "./quiet.ts";
import { type KnownFlow, lockedRoom } from "./rows/flow_rows.ts";
import { taskOfRow, type TaskRow } from "./rows/task_row.ts";
import {
  chargeRows,
  claim,
  type ClaimContext,
  claimNamed,
  countsLeases,
  kindOf,
  nextDueInMs,
  placeOfTask,
} from "./tasks/claim.ts";
import { claimInTurns, takesTurns } from "./tasks/claim_groups.ts";
import { Marks } from "./tasks/marks.ts";

/** How many kinds of claims have groups at the same time: a program has one for each of its workers' orders and types. */
const KINDS_MAX = 100;

/** Claims tasks of one queue. */
export class Claims {
  readonly #access: PostgresAccess;
  readonly #quiet: Quiet;
  readonly #groups = new Map<string, CallGroup<PreparedClaim, TaskRow[]>>();

  constructor(access: PostgresAccess, hearing: () => Hearing) {
    this.#access = access;
    this.#quiet = new Quiet(access.clock, hearing);
  }

  /** When the next task becomes due, as the port says it. */
  async nextDueAt(): Promise<Date | null> {
    const { clock } = this.#access;
    const known = this.#quiet.nextDue();
    const atMs = known === undefined
      ? this.#localMs(await this.#nextDueInMs(), clock.nowMs())
      : known.atMs;
    return atMs === undefined ? null : new Date(atMs);
  }

  async #nextDueInMs(): Promise<number | undefined> {
    const { statements, testMs, flow } = this.#access;
    return await nextDueInMs(statements, (await flow.known(statements)).flow, testMs);
  }

  /** An instant of the server's clock by this process's, which may be another: who waits for it, waits by this one. */
  #localMs(inMs: number | undefined, nowMs: number): number | undefined {
    return inMs === undefined ? undefined : nowMs + inMs;
  }

  /** Takes due tasks under a lease. */
  async claim(prepared: PreparedClaim): Promise<Task[]> {
    const rows = prepared.taskId === null
      ? await this.#claimsOf(kindOf(prepared), prepared.order).call(prepared)
      : await this.#claimNamed(prepared, prepared.taskId);
    this.#access.changed(rows);
    return rows.map(taskOfRow);
  }

  async #claimNamed(prepared: PreparedClaim, taskId: number): Promise<TaskRow[]> {
    return await this.#withLimits(async (known) => {
      const tools = { known, nowMs: this.#access.testMs };
      if (known.flow.isEmpty) {
        return await this.#access.inOrder((statements) =>
          claimNamed(prepared, { ...tools, statements }, false)
        );
      }
      return await this.#access.write(async ({ tx, context: { nowMs } }) => {
        const place = await placeOfTask(tx, taskId);
        if (place === undefined) return [];
        const room = await lockedRoom(tx, { flow: known.flow, keys: [place], nowMs });
        const rows = await claimNamed(prepared, { ...tools, statements: tx }, room.of(place) <= 0);
        if (rows !== "stale") await chargeRows(tx, known.flow, rows);
        return rows;
      });
    });
  }

  /** Runs a claim with the limits as they are known here; again when they are others by now. */
  async #withLimits<T>(run: (known: KnownFlow) => Promise<T | "stale">): Promise<T> {
    const { flow, statements } = this.#access;
    for (let known = await flow.known(statements);; known = await flow.read(statements)) {
      const claimed = await run(known);
      if (claimed !== "stale") return claimed;
    }
  }

  #claimsOf(kind: string, order: ClaimOrder): CallGroup<PreparedClaim, TaskRow[]> {
    const known = this.#groups.get(kind);
    if (known !== undefined) return known;
    if (this.#groups.size >= KINDS_MAX) this.#groups.clear();
    const marks = new Marks(order, this.#access.clock);
    const group = new CallGroup<PreparedClaim, TaskRow[]>({
      ...GROUP,
      run: async (requests) => {
        if (this.#quiet.isEmpty(kind)) return requests.map(() => Promise.resolve([]));
        const { changes } = this.#quiet;
        const { rows, dueInMs } = await this.#withLimits((known) => {
          const tools = { ...this.#claimTools, marks, known };
          if (takesTurns(requests[0]!, tools.lanes.known())) {
            return this.#access.write(({ tx, context: { nowMs: beganMs } }) =>
              claimInTurns(requests, { ...tools, statements: tx, beganMs })
            );
          }
          return countsLeases(requests[0]!, known)
            ? this.#access.write(({ tx }) => claim(requests, { ...tools, statements: tx }))
            : this.#access.inOrder((statements) => claim(requests, { ...tools, statements }));
        });
        if (rows.every(({ length }) => length === 0)) {
          this.#quiet.note(kind, changes, this.#localMs(dueInMs, this.#access.clock.nowMs()));
        }
        return rows.map((each) => Promise.resolve(each));
      },
    });
    this.#groups.set(kind, group);
    return group;
  }

  get #claimTools(): Omit<ClaimContext, "statements" | "marks" | "known"> {
    const { lanes, testMs, budget } = this.#access;
    return { lanes, nowMs: testMs, budget };
  }
}
