/**
 * Enqueueing: a caller's wish becomes a row, or the row that its idempotency key names already.
 *
 * A batch is stored in its order, each task with the number of parents it has to wait for. Its parents are locked before
 * where they are is read, so that none can end without hearing of the child.
 */
import { hasExpiredBy } from "../../domain/readiness.ts";
import { isFinal, type TaskReference, type TaskStatus } from "../../domain/task.ts";
import type { EnqueueOutcome } from "../../domain/unique.ts";
import type { BatchParent, StoredParent } from "../../queue_policy/cycle.ts";
import {
  checkSameContent,
  keyConflict,
  runIdConflict,
} from "../../queue_policy/enqueue_conflicts.ts";
import type { FlowKey } from "../../queue_policy/flow.ts";
import type { FirstLease, PreparedTask } from "../../queue_policy/new_task.ts";
import {
  countOpen,
  findParents,
  type FindStored,
  isSameParentage,
  type Parentage,
  stateFor,
} from "../../queue_policy/parents.ts";
import { findJoined, firstDueOf, type Joined } from "../../queue_policy/unique.ts";
import { charge } from "../rows/buckets.ts";
import { lockedRoom } from "../rows/flow_rows.ts";
import { newRow } from "../rows/new_row.ts";
import { SELECT_TASKS, type TaskRow, taskRows } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { cancelTask } from "./cancel_retry.ts";
import { dependenciesOf } from "./dependencies.ts";
import { type IsBehind, lockTurns, settleOrders } from "./order.ts";
import { endByParent, propagate } from "./propagate.ts";
import { findHolders, lockHolders, standIn } from "./unique.ts";

/** The row that stands for the task, and why that one. */
export interface Enqueued {
  readonly row: TaskRow;
  readonly created: boolean;
  readonly outcome: EnqueueOutcome;
}

const ENQUEUE_SQL = {
  byKey: `${SELECT_TASKS} where t.idempotency_key = any($1)`,
  byRunId: `${SELECT_TASKS} where t.run_id = any($1)`,
  idsByRunId: "select id, run_id from @task where run_id = any($1)",
} as const;

/**
 * Inserts each task, or finds the one that has its idempotency key, or stands for it under its unique key. The lanes of the tasks are known already.
 *
 * @throws QueueError `idempotency_conflict`, `run_id_conflict`, `unknown_parent`, `dependency_cycle`.
 */
export async function enqueueAll(
  work: Work,
  tasks: readonly PreparedTask[],
  from: Origin,
): Promise<Enqueued[]> {
  const find = await lockHolders(work, tasks);
  const isBehind = await lockTurns(work, tasks);
  const joined = findJoined(tasks, find, work.context.nowMs);
  const batch = await findBatch(work, tasks, joined);
  const { ids, mayStart, chargeStarts } = await takeIds(work, tasks);
  const enqueued: Enqueued[] = [];
  for (const [i, task] of tasks.entries()) {
    const join = joined[i];
    if (join === undefined) {
      enqueued.push(store(work, { task, i, id: ids[i]!, ...from, mayStart, isBehind }, batch));
      continue;
    }
    const { place, dueAtMs } = join;
    const id = "index" in place ? enqueued[place.index]!.row.id : place.id;
    enqueued.push(standIn(work, { task, row: work.held(id)!, dueAtMs }));
  }
  await connect(work, { tasks, enqueued, parentages: batch.parentages });
  for (const [i, { row, created }] of enqueued.entries()) {
    if (created && tasks[i]!.isCancelled) await cancelTask(work, work.held(row.id)!);
  }
  await chargeStarts();
  await work.flush();
  if (tasks.some(({ kept }) => kept.ordering_key !== null)) await settleOrders(work);
  return enqueued.map((each) => ({ ...each, row: work.held(each.row.id) ?? each.row }));
}

/** Where tasks come from. */
export interface Origin {
  /** Where the enqueueing stands in a trace. */
  readonly traceParent: string | null;
  /** The run whose completion stores them; default none's. */
  readonly causedBy?: string;
}

/** What a batch stores its tasks with. */
interface TakenIds {
  readonly ids: number[];
  /** Whether a task that is to start at once may; asked once for each that does. */
  readonly mayStart: (key: FlowKey) => boolean;
  /** Lets rates count those that have started. */
  readonly chargeStarts: () => Promise<unknown>;
}

/** Ids for the tasks, and which of those that are to start at once may. */
async function takeIds(work: Work, tasks: readonly PreparedTask[]): Promise<TakenIds> {
  const starting = tasks.filter(({ leaseTo }) => leaseTo !== null);
  const unlimited = { mayStart: () => true, chargeStarts: () => Promise.resolve() };
  if (starting.length === 0) return { ids: await work.takeIds(tasks.length), ...unlimited };
  const { ids, known: { flow } } = await work.takeIdsToStart(tasks.length);
  if (flow.isEmpty) return { ids, ...unlimited };
  const keys = starting.map(({ kept }) => kept);
  const { nowMs } = work.context;
  const room = await lockedRoom(work.tx, { flow, keys, nowMs });
  const started: FlowKey[] = [];
  const mayStart = (key: FlowKey): boolean => {
    const hasRoom = room.of(key) > 0;
    if (hasRoom) {
      room.take(key);
      started.push(key);
    }
    return hasRoom;
  };
  return { ids, mayStart, chargeStarts: () => charge(work.tx, { flow, started, nowMs }) };
}

/**
 * What an earlier run of `enqueueAll` has stored of these tasks, which all have run ids; `undefined` when it was undone. It
 * stored all or none, so one that is there under its run id, with its content, tells of all.
 */
export async function findEnqueued(
  work: Work,
  tasks: readonly (PreparedTask & { readonly runId: string })[],
): Promise<Enqueued[] | undefined> {
  const keys = tasks.flatMap(({ kept }) => kept.idempotency_key ?? []);
  const [named, keyed, holderOf] = await Promise.all([
    work.tx.query(ENQUEUE_SQL.byRunId, [tasks.map(({ runId }) => runId)]),
    work.tx.query(ENQUEUE_SQL.byKey, [keys]),
    findHolders(work, tasks),
  ]);
  const byRunId = new Map(taskRows(named).map((row) => [row.run_id, row]));
  const byKey = new Map(taskRows(keyed).map((row) => [row.idempotency_key!, row]));
  const found = tasks.map(({ runId, payload, kept, uniqueKey }): Enqueued | undefined => {
    const own = byRunId.get(runId);
    const isOwn = own !== undefined && own.type === kept.type &&
      (own.payload === payload || uniqueKey !== null);
    if (isOwn) return { row: own, created: true, outcome: "created" };
    const known = byKey.get(kept.idempotency_key ?? "");
    if (known !== undefined) return { row: known, created: false, outcome: "existing" };
    const holder = uniqueKey === null ? undefined : holderOf(kept.type, uniqueKey);
    return holder && { row: holder, created: false, outcome: "joined" };
  }).filter((each) => each !== undefined);
  const isStored = found.length === tasks.length && found.some(({ created }) => created);
  return isStored ? found : undefined;
}

/** What is there of what a batch names. */
interface FoundBatch {
  readonly parentages: readonly Parentage[];
  /** The tasks under known keys; those of the batch are added. */
  readonly byKey: Map<string, Enqueued>;
  /** The tasks with known run ids; those of the batch are added. */
  readonly idsByRunId: Map<string, number>;
}

async function findBatch(
  work: Work,
  tasks: readonly PreparedTask[],
  joined: readonly (Joined | undefined)[],
): Promise<FoundBatch> {
  const keys = tasks.flatMap(({ kept }) => kept.idempotency_key ?? []);
  const references = tasks.flatMap(({ dependsOn }) => dependsOn);
  const runIds = [
    ...tasks.flatMap(({ runId }) => runId ?? []),
    ...references.filter((reference) => typeof reference === "string"),
  ];
  const [keyed, numbered] = await Promise.all([
    keys.length > 0 ? work.tx.query(ENQUEUE_SQL.byKey, [keys]) : [],
    runIds.length > 0 ? work.tx.query(ENQUEUE_SQL.idsByRunId, [runIds]) : [],
  ]);
  const byKey = new Map(
    taskRows(keyed).map((row) => [row.idempotency_key!, known(row)]),
  );
  const idsByRunId = new Map(numbered.map(({ id, run_id }) => [String(run_id), Number(id)]));
  const parents = await lockParents(work, references, idsByRunId);
  const findStored: FindStored = (column, value) => {
    if (column === "idempotency_key") return storedParent(byKey.get(String(value))?.row);
    const id = typeof value === "string" ? idsByRunId.get(value) : value;
    return storedParent(id === undefined ? undefined : parents.get(id));
  };
  const named = tasks.map(({ runId, dependsOn, kept }, i) => ({
    runId,
    dependsOn,
    idempotencyKey: kept.idempotency_key,
    orderingKey: kept.ordering_key,
    standIn: joined[i]?.place,
  }));
  return { parentages: findParents(named, findStored), byKey, idsByRunId };
}

function known(row: TaskRow): Enqueued {
  return { row, created: false, outcome: "existing" };
}

/** Locks the parents that are there, and notes on those that live that they are followed. */
async function lockParents(
  work: Work,
  references: readonly TaskReference[],
  idsByRunId: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<number, TaskRow>> {
  const ids = references.flatMap((reference) =>
    typeof reference === "number" ? reference : idsByRunId.get(reference) ?? []
  );
  if (ids.length === 0) return new Map();
  const rows = await work.rows([...new Set(ids)]);
  for (const row of rows) {
    if (!isFinal(row.status) && !row.followed) work.change(row, { followed: true });
  }
  return new Map(rows.map((row) => [row.id, row]));
}

function storedParent(row: TaskRow | undefined): StoredParent | undefined {
  return row && { id: row.id, runId: row.run_id, status: row.status };
}

/** A task of the batch at its place. */
interface Placed extends Origin {
  readonly task: PreparedTask;
  readonly i: number;
  readonly id: number;
  /** Whether such a task may start at once; asked once for each that does. */
  readonly mayStart: (key: FlowKey) => boolean;
  readonly isBehind: IsBehind;
}

function store(
  work: Work,
  { task, i, id, traceParent, causedBy, mayStart, ...placed }: Placed,
  batch: FoundBatch,
): Enqueued {
  const { idempotency_key: key } = task.kept;
  const known = key === null ? undefined : batch.byKey.get(key);
  if (known !== undefined) {
    checkSameContent(known.row, task);
    return { ...known, created: false, outcome: "existing" };
  }
  const taken = task.runId === null ? undefined : batch.idsByRunId.get(task.runId);
  if (taken !== undefined) throw runIdConflict(task.runId!, taken);
  const waitsFor = countOpen(batch.parentages[i]!);
  const isFollowed = task.webhook !== null;
  const isBehind = placed.isBehind(task.kept);
  const isLeased = task.leaseTo !== null && !isBehind &&
    !hasExpiredBy(task.kept.expires_at, work.context.nowMs) && mayStart(task.kept);
  const leaseTo = isLeased ? task.leaseTo : null;
  const given = { id, waitsFor, traceParent, isFollowed, isBehind };
  const due = firstDueOf(task, work.context.nowMs);
  const row = work.add(newRow(work.context, { ...task, ...due, leaseTo }, given));
  noteNew(work, row, { leaseTo, causedBy });
  if (task.webhook !== null) work.addWebhook({ task_id: id, ...task.webhook });
  const enqueued: Enqueued = { row, created: true, outcome: "created" };
  if (key !== null) batch.byKey.set(key, enqueued);
  batch.idsByRunId.set(row.run_id, id);
  return enqueued;
}

function noteNew(
  work: Work,
  row: TaskRow,
  { leaseTo, causedBy }: { readonly leaseTo: FirstLease | null; readonly causedBy?: string },
): void {
  work.note(row.id, "enqueued", { causedBy });
  if (leaseTo === null) return;
  work.note(row.id, "leased", { worker: leaseTo.workerId, attempt: 1, durationMs: 0 });
}

/** A batch whose rows are there. */
interface StoredBatch {
  readonly tasks: readonly PreparedTask[];
  readonly parentages: readonly Parentage[];
  readonly enqueued: readonly Enqueued[];
}

/** Writes the dependencies of the new tasks, checks those of the others, and ends children of parents that have failed. */
async function connect(work: Work, batch: StoredBatch): Promise<void> {
  const ended: TaskRow[] = [];
  for (const [i, { outcome }] of batch.enqueued.entries()) {
    if (outcome === "created") ended.push(...addParents(work, i, batch));
    if (outcome === "existing") await checkSameParents(work, i, batch);
  }
  // one that has ended may have got children since
  if (ended.length > 0) await propagate(work, ended.map(({ id }) => work.held(id)!));
}

/** Writes the dependencies of a new task; its row if one of them ends it at once. */
function addParents(
  work: Work,
  i: number,
  { tasks, parentages, enqueued }: StoredBatch,
): TaskRow[] {
  const { row } = enqueued[i]!;
  const onFailure = tasks[i]!.onParentFailure;
  let culprit: StoredParent | undefined;
  parentages[i]!.parents.forEach((each, position) => {
    const parent = parentNow(work, each, enqueued);
    const wanted = stateFor(parent.status, onFailure);
    const isCulprit = wanted === "ended_child" && culprit === undefined;
    if (isCulprit) culprit = parent;
    work.addDependency({
      child_id: row.id,
      parent_id: parent.id,
      parent_run_id: parent.runId,
      position,
      on_failure: onFailure,
      state: wanted === "ended_child" && !isCulprit ? "met" : wanted,
    });
  });
  if (culprit === undefined || onFailure === "run") return [];
  return [endByParent(work, work.held(row.id)!, { parent: culprit, policy: onFailure })];
}

/** A parent, now that every task of the batch has a row; a new one counts as queued until its children are told. */
function parentNow(work: Work, parent: BatchParent, enqueued: readonly Enqueued[]): StoredParent {
  if (!("index" in parent)) return parent;
  const { row } = enqueued[parent.index]!;
  const held = work.held(row.id)!;
  if (!held.followed) work.change(held, { followed: true });
  return { id: row.id, runId: row.run_id, status: "queued" satisfies TaskStatus };
}

/** A task under a known key must have the same parents, in any order. @throws QueueError `idempotency_conflict`. */
async function checkSameParents(
  work: Work,
  i: number,
  { tasks, parentages, enqueued }: StoredBatch,
): Promise<void> {
  const { dependsOn, onParentFailure, kept } = tasks[i]!;
  const { id } = enqueued[i]!.row;
  await work.flush(); // the task may be one of this batch
  const known = await dependenciesOf(work.tx, id);
  if (known.length === 0 && dependsOn.length === 0) return;
  const { parents, gone } = parentages[i]!;
  const parentIds = parents.map((parent) =>
    "index" in parent ? enqueued[parent.index]!.row.id : parent.id
  );
  if (isSameParentage(known, { parentIds, gone, onParentFailure })) return;
  throw keyConflict(kept.idempotency_key!, id, "with other parents or another onParentFailure");
}
