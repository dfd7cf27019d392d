/**
 * A queue on a database as one end of a move. Every change is one transaction, with what it must find under the lock of the
 * note that it changes; so it is there or not, whenever the process is killed, and two moves at a time do not both make it.
 */
import type { FlowRecord } from "../../queue/limits.ts";
import { changeLimits, flowNow } from "../rows/flow_rows.ts";
import type { QueueClosure } from "../../queue/closure.ts";
import type {
  ClosureChange,
  FillingPart,
  MovedTask,
  MoveEnd,
  MoveNotes,
  TaskSpan,
  TransitionPart,
} from "../../queue/move_end.ts";
import type { ScheduleRecord, TransitionRecord } from "../../queue/records.ts";
import {
  closureOf,
  isFilledBy,
  MOVE_NOTES,
  placeOf,
  standingOf,
  textOfClosure,
} from "../../queue_policy/closure.ts";
import {
  movedLimits,
  prepareMovedLimits,
  prepareMovedSchedules,
  TRANSITION_PART,
} from "../../queue_policy/moved_records.ts";
import type { Statements } from "../rows/database.ts";
import type { Lanes } from "../rows/lanes.ts";
import { lockImports, noteImported } from "../rows/used_ids.ts";
import type { Work } from "../rows/work.ts";
import { exportSchedules } from "./export_records.ts";
import { storeSchedules } from "./import_records.ts";
import { lanesOfMoved, movedTasks, storeMoved } from "./moved_tasks.ts";

/** What a move needs of the queue. */
export interface MoveAccess {
  readonly lanes: Lanes;
  /** Statements that may run twice. */
  readonly statements: Statements;
  read<T>(run: (tx: Statements) => Promise<T>): Promise<T>;
  write<T>(run: (work: Work) => Promise<T>): Promise<T>;
  /** Tells that anything may have changed. */
  changed(rows: "many"): void;
}

const TRANSITION_COLUMNS = "task_id bigint, at bigint, kind text, details text, duration_ms bigint";

const MOVE_SQL = {
  notes: "select name, value from @holdfast where name = any($1)",
  lockNotes: "select name, value from @holdfast where name = any($1) order by name for update",
  /** `$1` is a name, `$2` what is noted if nothing is yet; what is. */
  keepNote: `insert into @holdfast as h (name, value) values ($1, $2)
    on conflict (name) do update set value = h.value returning value`,
  setNote: `insert into @holdfast (name, value) values ($1, $2)
    on conflict (name) do update set value = excluded.value`,
  removeNote: "delete from @holdfast where name = $1",
  /** A caller's transaction may be open for long; what waits for this lock holds up all behind it, so it is given up soon. */
  lockSoon: "set local lock_timeout = '2s'",
  lock: "lock table @live in share row exclusive mode",
  isNew: `select not exists (select from @task) and not exists (select from @schedule)
    and not exists (select from @flow_limit)
    and not exists (select from @pruned)
    and not exists (select from @holdfast where name = 'imported_up_to' and value <> '0') as is_new`,
  isAtRest: `select not exists (select from @live where state = 4)
    and not exists (select from @unsettled) as is_at_rest`,
  usedUpTo: `select greatest((select max(id) from @task),
    (select value::bigint from @holdfast where name = 'imported_up_to'),
    (select max(last.block * length(last.bits) + i)
      from (select block, bits from @pruned order by block desc limit 1) as last
        cross join lateral generate_series(0, length(last.bits) - 1) as i
      where get_bit(last.bits, i) = 1)) as id`,
  /** `$1` is a transaction, `$2` a step. */
  transitions: `select p.tx::text as tx, p.step, p.task_id, p.at, p.kind, p.details, p.duration_ms
    from @transition p where (p.tx, p.step) > ($1::xid8, $2)
    order by p.tx, p.step limit ${TRANSITION_PART}`,
  addTransitions: `insert into @transition (task_id, at, kind, details, duration_ms)
    select task_id, at, kind, details, duration_ms
    from json_to_recordset($1::text::json) as r(${TRANSITION_COLUMNS})`,
  /** A parent's part may have come before its children's. */
  follow: `update @live set followed = true where not followed
    and id in (select parent_id from @dependency where state = 'open')`,
} as const;

const NOTE_NAMES = [MOVE_NOTES.closure, MOVE_NOTES.received];

/** One end of a move. */
export class PostgresMoveEnd implements MoveEnd {
  readonly #access: MoveAccess;

  constructor(access: MoveAccess) {
    this.#access = access;
  }

  async queueId(): Promise<string> {
    const { statements } = this.#access;
    const [known] = await statements.query(MOVE_SQL.notes, [[MOVE_NOTES.queueId]]);
    if (known !== undefined) return String(known.value);
    const [kept] = await statements.query(MOVE_SQL.keepNote, [
      MOVE_NOTES.queueId,
      crypto.randomUUID(),
    ]);
    return String(kept!.value);
  }

  async notes(): Promise<MoveNotes> {
    return await notesIn(this.#access.statements, MOVE_SQL.notes);
  }

  async isNew(): Promise<boolean> {
    return await isNew(this.#access.statements);
  }

  async setClosure(change: ClosureChange): Promise<boolean> {
    const isThere = await this.#access.write(async ({ tx }) => {
      await tx.query(MOVE_SQL.lockSoon);
      await tx.query(MOVE_SQL.lock);
      const { closure } = await notesIn(tx, MOVE_SQL.lockNotes);
      const standing = standingOf(closure, change);
      if (standing !== "expected") return standing === "done";
      if (change.ifNew && !await isNew(tx)) return false;
      await setClosure(tx, change.next);
      return true;
    });
    if (isThere) this.#access.changed("many");
    return isThere;
  }

  async isAtRest(): Promise<boolean> {
    const [row] = await this.#access.statements.query(MOVE_SQL.isAtRest);
    return row!.is_at_rest === true;
  }

  async usedUpTo(): Promise<number> {
    const [row] = await this.#access.statements.query(MOVE_SQL.usedUpTo);
    return Number(row!.id ?? 0);
  }

  async readTasks(span: TaskSpan): Promise<MovedTask[]> {
    return await this.#access.read((tx) => movedTasks(tx, span));
  }

  async readTransitions(after: string | null): Promise<TransitionPart> {
    const begin = after ?? "0-0";
    const [tx, step] = begin.split("-") as [string, string];
    const rows = await this.#access.statements.query(MOVE_SQL.transitions, [tx, Number(step)]);
    const transitions = rows.map(({ task_id, at, kind, details, duration_ms }) => ({
      taskId: Number(task_id),
      atMs: Number(at),
      kind: kind as TransitionRecord["kind"],
      details: details as string | null,
      durationMs: duration_ms as number | null,
    }));
    const last = rows.at(-1);
    return { transitions, cursor: last === undefined ? begin : `${last.tx}-${last.step}` };
  }

  async readSchedules(): Promise<ScheduleRecord[]> {
    return await this.#access.read(exportSchedules);
  }

  async readLimits(): Promise<FlowRecord[]> {
    return await this.#access.read(async (tx) => movedLimits((await flowNow(tx)).rows));
  }

  async fill(part: FillingPart): Promise<boolean> {
    const { lanes } = this.#access;
    const { tasks = [], transitions = [] } = part;
    const schedules = prepareMovedSchedules(part.schedules ?? []);
    const limits = prepareMovedLimits(part.limits ?? []);
    await lanes.ensure(lanesOfMoved(tasks));
    return await this.#access.write(async (work) => {
      const { closure } = await notesIn(work.tx, MOVE_SQL.lockNotes);
      const place = placeOf(closure, part);
      if (place !== "begin") return place === "end";
      await Promise.all([
        storeMoved(work, tasks),
        storeTransitions(work.tx, transitions),
        setClosure(work.tx, { ...closure!, cursor: part.to }),
      ]);
      await storeSchedules(work.tx, schedules);
      await changeLimits(
        work.tx,
        limits.map((row) => ({ key: row, change: () => ({ row, isChange: true }) })),
      );
      return true;
    });
  }

  async open(moveId: string, usedUpTo: number): Promise<boolean> {
    const isOpen = await this.#access.write(async ({ tx }) => {
      const { closure, received } = await notesIn(tx, MOVE_SQL.lockNotes);
      if (received === moveId) return true;
      if (!isFilledBy(closure, moveId)) return false;
      await lockImports(tx);
      if (usedUpTo > 0) await noteImported(tx, usedUpTo);
      await tx.query(MOVE_SQL.follow);
      await tx.query(MOVE_SQL.setNote, [MOVE_NOTES.received, moveId]);
      await setClosure(tx, null);
      return true;
    });
    if (isOpen) this.#access.changed("many");
    return isOpen;
  }
}

async function notesIn(tx: Statements, statement: string): Promise<MoveNotes> {
  const rows = await tx.query(statement, [NOTE_NAMES]);
  const noted = new Map(rows.map(({ name, value }) => [String(name), String(value)]));
  return {
    closure: closureOf(noted.get(MOVE_NOTES.closure)),
    received: noted.get(MOVE_NOTES.received) ?? null,
  };
}

async function setClosure(tx: Statements, closure: QueueClosure | null): Promise<void> {
  const { closure: name } = MOVE_NOTES;
  if (closure === null) await tx.query(MOVE_SQL.removeNote, [name]);
  else await tx.query(MOVE_SQL.setNote, [name, textOfClosure(closure)]);
}

async function isNew(tx: Statements): Promise<boolean> {
  const [row] = await tx.query(MOVE_SQL.isNew);
  return row!.is_new === true;
}

async function storeTransitions(
  tx: Statements,
  transitions: readonly TransitionRecord[],
): Promise<void> {
  if (transitions.length === 0) return;
  const rows = transitions.map(({ taskId, atMs, kind, details, durationMs }) => ({
    task_id: taskId,
    at: atMs,
    kind,
    details,
    duration_ms: durationMs,
  }));
  await tx.query(MOVE_SQL.addTransitions, [JSON.stringify(rows)]);
}
