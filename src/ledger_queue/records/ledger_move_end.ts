/**
 * A queue on a ledger as one end of a move. Every change is one write, with what it must find; so it is there or not, whenever
 * the process is killed, and two moves at a time do not both make it.
 */
import type { FlowRecord } from "../../queue/limits.ts";
import { flowOf, storeLimit } from "../rows/flow_rows.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { MemoryMark } from "../../ledger/memory_budget.ts";
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
import { LEVELS } from "../../queue_policy/transition_note.ts";
import type { OperationContext } from "../rows/context.ts";
import { closureIn, noteIn, setNote } from "../rows/notes.ts";
import { LOG_TABLE, TASK_TABLE } from "../rows/schema.ts";
import { allSchedules } from "../schedules/schedule_row.ts";
import { hasDeferredChildren } from "../tasks/propagate.ts";
import { exportSchedules } from "./export_records.ts";
import { lastIdOf, storeSchedules } from "./import_records.ts";
import { movedTasks, storeMoved } from "./moved_tasks.ts";

/** What a move needs of the queue. */
export interface MoveAccess {
  read<T>(operation: (reader: Reader) => T): Promise<T>;
  write<T>(
    operation: (tx: Transaction, context: OperationContext) => T,
    upTo?: MemoryMark,
  ): Promise<T>;
}

const MOVE_SQL = {
  leased: "SELECT 1 FROM task_queue INDEXED BY leased_tasks WHERE status = 'leased' LIMIT 1",
  transitions: `SELECT log_id, task_id, at_utc, message, details, duration_ms FROM task_logs
    WHERE log_id > ? ORDER BY log_id LIMIT ${TRANSITION_PART}`,
} as const;

/** One end of a move. */
export class LedgerMoveEnd implements MoveEnd {
  readonly #access: MoveAccess;

  constructor(access: MoveAccess) {
    this.#access = access;
  }

  async queueId(): Promise<string> {
    return await this.#access.write((tx) => {
      const known = noteIn(tx, MOVE_NOTES.queueId);
      if (known !== null) return known;
      const id = crypto.randomUUID();
      setNote(tx, MOVE_NOTES.queueId, id);
      return id;
    });
  }

  async notes(): Promise<MoveNotes> {
    return await this.#access.read((reader) => ({
      closure: closureIn(reader),
      received: noteIn(reader, MOVE_NOTES.received),
    }));
  }

  async isNew(): Promise<boolean> {
    return await this.#access.read(isNew);
  }

  async setClosure(change: ClosureChange): Promise<boolean> {
    const { next, ifNew = false } = change;
    return await this.#access.write((tx) => {
      const standing = standingOf(closureIn(tx), change);
      if (standing !== "expected") return standing === "done";
      if (ifNew && !isNew(tx)) return false;
      setNote(tx, MOVE_NOTES.closure, next && textOfClosure(next));
      return true;
    });
  }

  async isAtRest(): Promise<boolean> {
    return await this.#access.read((reader) =>
      reader.read(MOVE_SQL.leased).length === 0 && !hasDeferredChildren(reader)
    );
  }

  async usedUpTo(): Promise<number> {
    return await this.#access.read(lastIdOf);
  }

  async readTasks(span: TaskSpan): Promise<MovedTask[]> {
    return await this.#access.read((reader) => movedTasks(reader, span));
  }

  async readTransitions(after: string | null): Promise<TransitionPart> {
    const begin = after ?? "0";
    return await this.#access.read((reader) => {
      const rows = reader.read(MOVE_SQL.transitions, [Number(begin)]);
      const transitions = rows.map(([, taskId, atMs, kind, details, durationMs]) => ({
        taskId: Number(taskId),
        atMs: Number(atMs),
        kind: kind as TransitionRecord["kind"],
        details: details as string | null,
        durationMs: durationMs as number | null,
      }));
      return { transitions, cursor: String(rows.at(-1)?.[0] ?? begin) };
    });
  }

  async readSchedules(): Promise<ScheduleRecord[]> {
    return await this.#access.read(exportSchedules);
  }

  async readLimits(): Promise<FlowRecord[]> {
    return await this.#access.read((reader) => movedLimits(flowOf(reader).rows));
  }

  async fill(part: FillingPart): Promise<boolean> {
    const schedules = prepareMovedSchedules(part.schedules ?? []);
    const limits = prepareMovedLimits(part.limits ?? []);
    return await this.#access.write((tx, context) => {
      const closure = closureIn(tx);
      const place = placeOf(closure, part);
      if (place !== "begin") return place === "end";
      for (const task of part.tasks ?? []) storeMoved(tx, task, context);
      storeTransitions(tx, part.transitions ?? []);
      storeSchedules(tx, schedules);
      for (const row of limits) storeLimit(tx, row, { row, isChange: true });
      setNote(tx, MOVE_NOTES.closure, textOfClosure({ ...closure!, cursor: part.to }));
      return true;
    }, "high_water");
  }

  async open(moveId: string, usedUpTo: number): Promise<boolean> {
    return await this.#access.write((tx, context) => {
      if (noteIn(tx, MOVE_NOTES.received) === moveId) return true;
      if (!isFilledBy(closureIn(tx), moveId)) return false;
      useIds(tx, usedUpTo, context);
      setNote(tx, MOVE_NOTES.received, moveId);
      setNote(tx, MOVE_NOTES.closure, null);
      return true;
    });
  }
}

function isNew(reader: Reader): boolean {
  return lastIdOf(reader) === 0 && allSchedules(reader).length === 0 &&
    flowOf(reader).rows.length === 0;
}

function storeTransitions(tx: Transaction, transitions: readonly TransitionRecord[]): void {
  for (const { taskId, atMs, kind, details, durationMs } of transitions) {
    tx.insert(LOG_TABLE, {
      task_id: taskId,
      at_utc: atMs,
      level: LEVELS[kind],
      message: kind,
      details,
      duration_ms: durationMs,
    });
  }
}

/** AUTOINCREMENT goes on behind the highest id that a row had: a row that comes and goes raises it in every process. */
function useIds(tx: Transaction, upTo: number, { nowMs }: OperationContext): void {
  if (upTo <= lastIdOf(tx)) return;
  tx.insert(TASK_TABLE, {
    id: upTo,
    run_id: crypto.randomUUID(),
    type: "last",
    priority: 1,
    payload: "null",
    compatibility: "{}",
    status: "cancelled",
    attempts: 0,
    max_attempts: 1,
    run_after_utc: nowMs,
    finished_at_utc: nowMs,
    created_at_utc: nowMs,
    updated_at_utc: nowMs,
    lease_token: 0,
    is_ready: 0,
    grp: "",
    draw_key: 0,
    waits_for: 0,
  });
  tx.remove(TASK_TABLE, [upTo]);
}
