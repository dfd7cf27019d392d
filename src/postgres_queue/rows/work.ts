/**
 * The work of one transaction: the tasks that it has locked, as they will be, and what is to be written.
 *
 * An operation reads a row once, under its lock, and changes it in memory; `flush` writes everything in a few statements,
 * whatever their number. What an operation reads afterwards by itself, it reads after a `flush`.
 */
import { isFinal } from "../../domain/task.ts";
import { drawWaitingTime } from "../../domain/claim_order.ts";
import type { RetryPolicy } from "../../domain/backoff.ts";
import type { Random } from "../../domain/random.ts";
import { isReady } from "../../domain/readiness.ts";
import type { DependencyState } from "../../queue/records.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { detailsOf, type TransitionNote } from "../../queue_policy/transition_note.ts";
import { tagsOfText } from "../../queue_policy/tags.ts";
import type { EditableValues } from "../../queue_policy/update_request.ts";
import { EDITED_COLUMNS } from "./columns.ts";
import type { Row, Statements } from "./database.ts";
import type { FlowKnowledge, KnownFlow } from "./flow_rows.ts";
import type { Lanes } from "./lanes.ts";
import { LIVE_STATES } from "./schema.ts";
import { isFinalRow, type TaskRow, taskRows, type TaskState } from "./task_row.ts";
import { tagChangesOf, tagParameters, type TagRow, tagRows } from "./tags.ts";
import { WORK_SQL } from "./work_sql.ts";

/** Fixed for the length of one operation. */
export interface OperationContext {
  /** The server's clock when the transaction began. */
  readonly nowMs: number;
  /** The time of a test; `null` for the server's. */
  readonly testMs: number | null;
  readonly random: Random;
  /** Makes the run id of a task that came without. */
  readonly newRunId: () => string;
  /** What applies where neither the task nor its handler says otherwise. */
  readonly retryPolicy: RetryPolicy;
  /** How much the operation may write, in characters of rows; what is left over, another operation does. */
  readonly budget: number;
  readonly lanes: Lanes;
  readonly flow: FlowKnowledge;
}

/** A dependency to be stored. */
export interface NewDependency {
  readonly child_id: number;
  readonly parent_id: number;
  readonly parent_run_id: string;
  readonly position: number;
  readonly on_failure: string;
  readonly state: DependencyState;
}

/** A webhook to be stored. */
export interface NewWebhook {
  readonly task_id: number;
  readonly url: string;
  readonly events: string;
}

/** Another transaction came first: run this one again from the start. */
export class RunAgainError extends Error {
  /** `RunAgainError`. */
  override readonly name = "RunAgainError";
}

/** How many rows one statement writes at most. */
const WRITE_MAX = 1000;

/** A transition that is to be written. */
interface PendingTransition {
  readonly task_id: number;
  readonly at: number;
  readonly kind: TransitionKind;
  readonly details: string | null;
  readonly duration_ms: number | null;
}

/** A task in this transaction. */
interface Held {
  /** As the database has it; `undefined` for a new one. */
  readonly stored: TaskRow | undefined;
  readonly row: TaskRow;
  /** Whether it is to get a new place in its lane's weighted random order. */
  readonly isDrawn: boolean;
}

/** A task's row of one table, as JSON. */
type WrittenRow = Readonly<Record<string, unknown>> & { readonly id: number };

/** One transaction's work. */
export class Work {
  readonly tx: Statements;
  readonly context: OperationContext;
  readonly #held = new Map<number, Held>();
  readonly #changed = new Set<number>();
  readonly #told = new Map<number, TaskRow>();
  #transitions: PendingTransition[] = [];
  #dependencies: NewDependency[] = [];
  #marks = new Map<string, { child_id: number; parent_id: number; state: DependencyState }>();
  #webhooks: NewWebhook[] = [];
  #tags: TagRow[] = [];
  #hasMadeRoom = false;
  /** The ordering keys whose turns may have moved: see `tasks/order.ts`. */
  readonly unsettled = new Set<string>();

  constructor(tx: Statements, context: OperationContext) {
    this.tx = tx;
    this.context = context;
  }

  /** The tasks that this transaction has changed, as they are now. */
  get changes(): Iterable<TaskRow> {
    return this.#told.values();
  }

  /** Whether it lets tasks start that a limit or a pause held back. */
  get hasMadeRoom(): boolean {
    return this.#hasMadeRoom;
  }

  /** Notes that a limit or a pause has changed, or a slot has come free. */
  makeRoom(): void {
    this.#hasMadeRoom = true;
  }

  /** The tasks with these ids that there are, locked, in the order of the ids. */
  async rows(ids: readonly number[]): Promise<TaskRow[]> {
    const unknown = ids.filter((id) => !this.#held.has(id));
    if (unknown.length > 0) await this.#lock([...new Set(unknown)]);
    return ids.flatMap((id) => this.#held.get(id)?.row ?? []);
  }

  /** The task with this id, locked. */
  async row(id: number): Promise<TaskRow | undefined> {
    return (await this.rows([id]))[0];
  }

  /** The task as it is now, if this transaction holds it. */
  held(id: number): TaskRow | undefined {
    return this.#held.get(id)?.row;
  }

  /** A task that was final when its lock was asked for may be alive once it is got: then its other lock is needed. */
  async #lock(ids: readonly number[]): Promise<void> {
    for (;;) {
      const [live, , loaded] = await Promise.all([
        this.tx.query(WORK_SQL.lockLive, [ids]),
        this.tx.query(WORK_SQL.lockFinal, [ids]),
        this.tx.query(WORK_SQL.load, [ids]),
      ]);
      const locked = new Set(live.map(({ id }) => id));
      const rows = taskRows(loaded);
      if (rows.some((row) => !isFinalRow(row) && !locked.has(row.id))) continue;
      for (const row of rows) this.#held.set(row.id, { stored: row, row, isDrawn: false });
      return;
    }
  }

  /** Ids for new tasks, ascending. */
  async takeIds(count: number): Promise<number[]> {
    const rows = await this.tx.query(WORK_SQL.takeIds, [count]);
    return rows.map(({ id }) => Number(id));
  }

  /** Ids for new tasks some of which are to start at once, and the limits that hold for them. */
  async takeIdsToStart(
    count: number,
  ): Promise<{ readonly ids: number[]; readonly known: KnownFlow }> {
    const rows = await this.tx.query(WORK_SQL.takeIdsToStart, [count]);
    const known = await this.context.flow.ofVersion(Number(rows[0]!.version), this.tx);
    return { ids: rows.map(({ id }) => Number(id)), known };
  }

  /** Writes the rows of `live` of tasks that the caller has stored itself. */
  async addLive(rows: readonly TaskRow[]): Promise<void> {
    const live = rows.map((row) => this.#liveOf({ stored: undefined, row, isDrawn: true }));
    await Promise.all(this.#write(WORK_SQL.addLive, live));
  }

  /** Adds a task that is not there. */
  add(row: TaskRow): TaskRow {
    this.#held.set(row.id, { stored: undefined, row, isDrawn: true });
    this.#changed.add(row.id);
    return row;
  }

  /** Changes a task; the row as it is now. One that becomes ready is drawn anew. */
  change(
    row: TaskRow,
    values: Partial<
      TaskState & EditableValues & Pick<TaskRow, "payload" | "expires_at" | "lane_id">
    >,
    { isDrawn = false } = {},
  ): TaskRow {
    const before = this.#held.get(row.id)!;
    const changed = { ...before.row, ...values, ...this.#turnOf(before.row, values) };
    this.#held.set(row.id, { ...before, row: changed, isDrawn: before.isDrawn || isDrawn });
    this.#changed.add(row.id);
    return changed;
  }

  /** What a change of a task's status means for its turn: one that is final has none, one that comes back is behind until the key is settled. */
  #turnOf(row: TaskRow, { status, waits_for = 0 }: Partial<TaskState>): Partial<TaskState> {
    const { ordering_key: key } = row;
    if (key === null || status === undefined || status === row.status) return {};
    // one that is held up ends in nobody's turn
    if (row.is_behind !== true || row.on_predecessor_failure === "hold") this.unsettled.add(key);
    if (isFinal(status)) return { is_behind: null };
    return isFinalRow(row) ? { is_behind: true, waits_for: waits_for + 1 } : {};
  }

  /** Notes what happened to a task. */
  note(taskId: number, kind: TransitionKind, note: TransitionNote = {}): void {
    this.#transitions.push({
      task_id: taskId,
      at: this.context.nowMs,
      kind,
      details: detailsOf(note),
      duration_ms: note.durationMs ?? null,
    });
  }

  /** Notes that a new task waits, or has waited, for another. */
  addDependency(dependency: NewDependency): void {
    this.#dependencies.push(dependency);
  }

  /** Notes how a child stands to a parent now. */
  mark(childId: number, parentId: number, state: DependencyState): void {
    const mark = { child_id: childId, parent_id: parentId, state };
    this.#marks.set(`${childId} ${parentId}`, mark);
  }

  /** Notes where to report a new task's end. */
  addWebhook(webhook: NewWebhook): void {
    this.#webhooks.push(webhook);
  }

  /** Notes the tags of a task that the caller has stored itself. */
  addTags({ id, tags }: Pick<TaskRow, "id" | "tags">): void {
    this.#tags.push(...tagRows(id, tagsOfText(tags)));
  }

  /** Writes what was changed and noted. @throws RunAgainError when a new task's run id or key has been taken meanwhile. */
  async flush(): Promise<void> {
    const held = [...this.#changed].map((id) => this.#held.get(id)!);
    this.#changed.clear();
    const added = held.filter(({ stored }) => stored === undefined).map(({ row }) => row);
    if (added.length > 0) await this.#addTasks(added);
    const written = this.#writeRows(held);
    written.push(
      ...this.#writeTags(held),
      ...this.#write(WORK_SQL.addDependencies, this.#dependencies),
      ...this.#write(WORK_SQL.markDependencies, [...this.#marks.values()]),
      ...this.#write(WORK_SQL.addWebhooks, this.#webhooks),
      ...this.#write(WORK_SQL.addTransitions, this.#transitions),
    );
    this.#dependencies = [];
    this.#marks = new Map();
    this.#webhooks = [];
    this.#tags = [];
    this.#transitions = [];
    for (const { row } of held) {
      this.#held.set(row.id, { stored: row, row, isDrawn: false });
      this.#told.set(row.id, row);
    }
    await Promise.all(written);
  }

  async #addTasks(rows: readonly TaskRow[]): Promise<void> {
    const answers = await Promise.all(this.#write(WORK_SQL.addTasks, rows));
    const count = answers.reduce((sum, { length }) => sum + length, 0);
    if (count < rows.length) throw new RunAgainError("a run id or a key was taken meanwhile");
  }

  #writeTags(held: readonly Held[]): Promise<Row[]>[] {
    const { removed, added } = tagChangesOf(held);
    const query = (statement: string, rows: readonly TagRow[]): Promise<Row[]>[] =>
      parts(rows).map((part) => this.tx.query(statement, tagParameters(part)));
    return [
      ...query(WORK_SQL.removeTags, removed),
      ...query(WORK_SQL.addTags, [...this.#tags, ...added]),
    ];
  }

  #writeRows(held: readonly Held[]): Promise<Row[]>[] {
    const isLive = ({ row }: Held): boolean => !isFinalRow(row);
    const wasLive = ({ stored }: Held): boolean => stored !== undefined && !isFinalRow(stored);
    const wasFinal = ({ stored }: Held): boolean => stored !== undefined && isFinalRow(stored);
    const added = held.filter((each) => isLive(each) && !wasLive(each));
    const changed = held.filter((each) => isLive(each) && wasLive(each));
    const ended = held.filter((each) => !isLive(each));
    const back = held.filter((each) => isLive(each) && wasFinal(each));
    const rewritten = held.filter(({ stored, row }) =>
      stored !== undefined && stored.payload !== row.payload
    );
    const edited = held.filter((each) => each.stored !== undefined && isEdited(each));
    const gone = ended.filter(wasLive).map(({ row }) => row.id);
    return [
      ...(gone.length > 0 ? [this.tx.query(WORK_SQL.removeLive, [gone])] : []),
      ...this.#writeById(WORK_SQL.setEnds, [...ended.map(endOf), ...back.map(noEndOf)]),
      ...this.#write(
        WORK_SQL.addLive,
        added.map((each) => this.#liveOf({ ...each, isDrawn: true })),
      ),
      ...this.#writeById(WORK_SQL.changeLive, changed.map((each) => this.#liveOf(each))),
      ...this.#writeById(WORK_SQL.setEdited, edited.map(({ row }) => ({ ...row }))),
      ...this.#writeById(
        WORK_SQL.setPayloads,
        rewritten.map(({ row: { id, payload } }) => ({ id, payload })),
      ),
    ];
  }

  #write(statement: string, rows: readonly unknown[]): Promise<Row[]>[] {
    return parts(rows).map((part) => this.tx.query(statement, [JSON.stringify(part)]));
  }

  /** The ids as a parameter of their own make it plain that rows are found by them. */
  #writeById(statement: string, rows: readonly WrittenRow[]): Promise<Row[]>[] {
    return parts(rows).map((part) =>
      this.tx.query(statement, [JSON.stringify(part), part.map(({ id }) => id)])
    );
  }

  #liveOf({ row, isDrawn }: Held): WrittenRow {
    const { random } = this.context;
    const { status, lease_until, finished_at: _finished, result: _result, ...state } = row;
    return {
      id: state.id,
      lane_id: state.lane_id,
      grp: state.grp,
      priority: state.priority,
      draw: isDrawn ? drawWaitingTime(state.priority, random) : null,
      state: this.#stateOf(row),
      run_after: state.run_after,
      expires_at: state.expires_at,
      waits_for: state.waits_for,
      ordering_key: row.ordering_key,
      ordering_place: row.ordering_place,
      is_behind: state.is_behind,
      followed: state.followed,
      weight: row.payload.length,
      attempts: state.attempts,
      lease_token: state.lease_token,
      locked_by: state.locked_by,
      lease_until: status === "leased" ? lease_until : null,
      reserved_at: state.reserved_at,
      processing_started: state.processing_started,
      created_at: row.created_at,
      updated_at: state.updated_at,
      progress_percent: state.progress_percent,
      progress_message: state.progress_message,
      error_message: state.error_message,
    };
  }

  #stateOf({ status, run_after, waits_for }: TaskRow): number {
    if (status === "leased") return LIVE_STATES.leased;
    if (waits_for > 0) return LIVE_STATES.waiting;
    const awaited = { runAfterMs: run_after, waitsFor: waits_for };
    return isReady(awaited, this.context.nowMs) ? LIVE_STATES.ready : LIVE_STATES.scheduled;
  }
}

/** Whether something is different that stands in `task`. */
function isEdited({ stored, row }: Held): boolean {
  return Object.keys(EDITED_COLUMNS).some((name) =>
    stored![name as keyof EditableValues] !== row[name as keyof EditableValues]
  );
}

function endOf({ row }: Held): WrittenRow {
  const { payload: _payload, ...end } = row;
  return { ...end, outcome: row.status };
}

function parts<T>(rows: readonly T[]): (readonly T[])[] {
  return Array.from(
    { length: Math.ceil(rows.length / WRITE_MAX) },
    (_, i) => rows.slice(i * WRITE_MAX, (i + 1) * WRITE_MAX),
  );
}

/** What `task` says of a task that is alive again: `live` has it all. */
function noEndOf({ row }: Held): WrittenRow {
  return { id: row.id };
}
