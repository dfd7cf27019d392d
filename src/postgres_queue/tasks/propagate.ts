/**
 * Propagation: a task's children learn that it has become final, or that it has been queued again.
 *
 * It happens in the transaction that changed the task, and goes on with the children that end or come back because of it,
 * from a list and not by recursion, so a chain may have any length. One transaction does a bounded amount of this. Tasks
 * with children left to tell stand in `unsettled`, and every process that has the queue open goes on with them, as it does
 * with expired leases; until then such a child stays where it was.
 */
import { isFinal, type ParentFailurePolicy, type TaskStatus } from "../../domain/task.ts";
import type { DependencyState } from "../../queue/records.ts";
import type { StoredParent } from "../../queue_policy/cycle.ts";
import { deliveryOf } from "../../queue_policy/delivery.ts";
import { endedByParent } from "../../queue_policy/parents.ts";
import { newRow } from "../rows/new_row.ts";
import { isFinalRow, taskOfRow, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { failedParent } from "./dependencies.ts";
import { requeue } from "./requeue.ts";

/** How many children are read at once. */
const CHUNK = 1000;

/** What a child costs of the budget beside its payload. */
const ROW_LENGTH = 500;

const PROPAGATE_SQL = {
  webhooks: "select task_id, url, events from @webhook where task_id = any($1)",
  hasChildren: `select id from unnest($1::bigint[]) as parent(id)
    where exists (select from @dependency where parent_id = parent.id)`,
  openChildren: `select child_id, on_failure, state from @dependency
    where parent_id = $1 and state = 'open' order by child_id limit ${CHUNK}`,
  /** Those of a parent that completed; one that has ended the child was not told in time that the parent had been queued again. */
  unmetChildren: `select child_id, on_failure, state from @dependency
    where parent_id = $1 and state in ('open', 'ended_child') order by child_id limit ${CHUNK}`,
  closedChildren: `select child_id, on_failure, state from @dependency
    where parent_id = $1 and state in ('met', 'ended_child') order by child_id limit ${CHUNK}`,
  defer: `insert into @unsettled (task_id, since) select id, $2 from unnest($1::bigint[]) as r(id)
    on conflict do nothing`,
  takeDeferred: `delete from @unsettled where task_id in (
      select task_id from @unsettled order by task_id limit ${CHUNK} for update skip locked)
    returning task_id`,
} as const;

/** Tells the children and the webhooks of tasks that have just become final, or stopped being so, in their transaction. */
export async function propagate(work: Work, rows: readonly TaskRow[]): Promise<void> {
  const followed = rows.filter((row) => row.followed);
  if (followed.length === 0) return;
  await tellWebhooks(work, followed.filter(isFinalRow));
  await propagateToChildren(work, followed);
}

/** Tells the children of tasks, but no webhook: for tasks whose own state has been reported. */
export async function propagateToChildren(work: Work, rows: readonly TaskRow[]): Promise<void> {
  await work.flush();
  const parents = await work.tx.query(PROPAGATE_SQL.hasChildren, [rows.map(({ id }) => id)]);
  const ids = new Set(parents.map(({ id }) => Number(id)));
  await new Propagation(work).run(rows.filter(({ id }) => ids.has(id)));
}

/** Goes on with the children that were left to tell. */
export async function propagateDeferred(work: Work): Promise<void> {
  const taken = await work.tx.query(PROPAGATE_SQL.takeDeferred);
  const ids = taken.map(({ task_id }) => Number(task_id)).sort((a, b) => a - b);
  if (ids.length > 0) await propagateToChildren(work, await work.rows(ids));
  await work.flush();
}

/** Enqueues the deliveries that report the ends of these tasks, where there are some to make. */
async function tellWebhooks(work: Work, ended: readonly TaskRow[]): Promise<void> {
  const byId = new Map(ended.filter(({ followed }) => followed).map((row) => [row.id, row]));
  if (byId.size === 0) return;
  await work.flush();
  const webhooks = await work.tx.query(PROPAGATE_SQL.webhooks, [[...byId.keys()]]);
  const deliveries = webhooks.flatMap(({ task_id, url, events }) => {
    const task = taskOfRow(byId.get(Number(task_id))!);
    return deliveryOf(task, { url: String(url), events: String(events) }) ?? [];
  });
  if (deliveries.length === 0) return;
  await work.context.lanes.find(deliveries.map(({ kept }) => kept), work.tx);
  const ids = await work.takeIds(deliveries.length);
  deliveries.forEach((delivery, i) => {
    const place = { id: ids[i]!, waitsFor: 0, traceParent: null, isFollowed: false };
    work.add(newRow(work.context, delivery, place));
    work.note(ids[i]!, "enqueued");
  });
}

/** Ends a child because of a parent; its row. */
export function endByParent(
  work: Work,
  child: TaskRow,
  { parent, policy }: {
    readonly parent: StoredParent;
    readonly policy: Exclude<ParentFailurePolicy, "run">;
  },
): TaskRow {
  work.mark(child.id, parent.id, "ended_child");
  const status = policy === "fail" ? "failed" : "cancelled";
  const error = endedByParent(parent);
  work.note(child.id, status, { error });
  const { nowMs } = work.context;
  return work.change(child, {
    status,
    error_message: error,
    waits_for: 0,
    finished_at: nowMs,
    updated_at: nowMs,
  });
}

/** One transaction's part of the work. */
class Propagation {
  readonly #work: Work;
  readonly #parents: TaskRow[] = [];
  #budget: number;

  constructor(work: Work) {
    this.#work = work;
    this.#budget = work.context.budget;
  }

  async run(parents: readonly TaskRow[]): Promise<void> {
    for (const parent of parents) this.#parents.push(parent);
    for (let i = 0; i < this.#parents.length; i++) {
      const isDone = await this.#tellChildren(this.#parents[i]!);
      if (!isDone) return await this.#defer(this.#parents.slice(i));
    }
  }

  async #defer(parents: readonly TaskRow[]): Promise<void> {
    const { tx, context } = this.#work;
    await tx.query(PROPAGATE_SQL.defer, [parents.map(({ id }) => id), context.nowMs]);
  }

  /** Tells each child where a parent is; whether all were told. */
  async #tellChildren(parent: TaskRow): Promise<boolean> {
    for (;;) {
      await this.#work.flush();
      const told = await this.#work.tx.query(selectTold(parent.status), [parent.id]);
      const children = await this.#work.rows(told.map(({ child_id }) => Number(child_id)));
      const byId = new Map(children.map((child) => [child.id, child]));
      for (const { child_id, on_failure, state } of told) {
        if (this.#budget <= 0) return false;
        const child = this.#work.held(Number(child_id)) ?? byId.get(Number(child_id));
        if (child === undefined) continue; // it has been pruned meanwhile
        this.#budget -= ROW_LENGTH + child.payload.length;
        const policy = on_failure as ParentFailurePolicy;
        await this.#tell(parent, child, { policy, state: state as DependencyState });
      }
      if (told.length < CHUNK) return true;
    }
  }

  async #tell(
    parent: TaskRow,
    child: TaskRow,
    { policy, state }: { readonly policy: ParentFailurePolicy; readonly state: DependencyState },
  ): Promise<void> {
    const hadEndedChild = state === "ended_child";
    if (!isFinal(parent.status)) await this.#tellBack(parent, child, hadEndedChild);
    else if (hadEndedChild) await this.#tellCompleted(parent, child);
    else await this.#tellOver(parent, child, policy);
  }

  // --- the parent is final

  async #tellOver(parent: TaskRow, child: TaskRow, policy: ParentFailurePolicy): Promise<void> {
    const isQueued = child.status === "queued";
    if (isQueued && parent.status !== "completed" && policy !== "run") {
      const ended = endByParent(this.#work, child, { parent: storedParent(parent), policy });
      await tellWebhooks(this.#work, [ended]);
      if (ended.followed) this.#parents.push(ended);
      return;
    }
    this.#work.mark(child.id, parent.id, "met");
    if (isQueued) this.#wait(child, -1);
  }

  /** The parent was queued again and has completed since, before this child, which it had ended, was told of either. */
  async #tellCompleted(parent: TaskRow, child: TaskRow): Promise<void> {
    this.#work.mark(child.id, parent.id, "met");
    await this.#bringBack(child);
  }

  // --- the parent is queued again

  async #tellBack(parent: TaskRow, child: TaskRow, hadEndedChild: boolean): Promise<void> {
    this.#work.mark(child.id, parent.id, "open");
    if (child.status === "queued") this.#wait(child, 1);
    else if (hadEndedChild) await this.#bringBack(child);
  }

  /** Queues a child again that a parent had ended, unless another of its parents has failed: then it is ended by that one. */
  async #bringBack(child: TaskRow): Promise<void> {
    if (child.status !== "failed" && child.status !== "cancelled") return;
    const { nowMs } = this.#work.context;
    const other = await failedParent(this.#work, child.id);
    if (other !== undefined) {
      this.#work.mark(child.id, other.id, "ended_child");
      const error_message = endedByParent(other);
      this.#work.change(child, { error_message, updated_at: nowMs });
      return;
    }
    this.#work.note(child.id, "requeued");
    const state = { delayMs: 0, attempts: 0, message: null };
    this.#parents.push(await requeue(this.#work, child, state));
  }

  /** A queued child waits for one parent more, or one fewer. One that was held up is due from now on. */
  #wait(child: TaskRow, change: 1 | -1): void {
    const { nowMs } = this.#work.context;
    const waits_for = child.waits_for + change;
    const run_after = waits_for > 0 ? child.run_after : Math.max(nowMs, child.run_after);
    const values = { waits_for, run_after, updated_at: nowMs };
    this.#work.change(child, values, { isDrawn: waits_for === 0 });
  }
}

function storedParent({ id, run_id, status }: TaskRow): StoredParent {
  return { id, runId: run_id, status };
}

/** Reads the children that a task with this status has something to tell. */
function selectTold(status: TaskStatus): string {
  if (!isFinal(status)) return PROPAGATE_SQL.closedChildren;
  return status === "completed" ? PROPAGATE_SQL.unmetChildren : PROPAGATE_SQL.openChildren;
}
