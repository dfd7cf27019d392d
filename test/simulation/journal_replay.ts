/**
 * Reads the whole journal again, record by record, in a replica of its own.
 *
 * After each record whose state a process was seen in, the rows must be those: `recover(prefix) = state(prefix)`. Each
 * change of a task must be one that the rules allow. At the end the rows must be those of snapshot and later records.
 */
import type { Change } from "../../src/ledger/change.ts";
import { type Reader, Replica } from "../../src/ledger/replica.ts";
import type { TableDefinition } from "../../src/ledger/schema.ts";
import type { SqlEngine, SqlRow } from "../../src/ledger/sql_engine.ts";
import { isFinal, type Task } from "../../src/domain/task.ts";
import { DEPENDENCY_TABLE, QUEUE_SCHEMA, TASK_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import { miscounts } from "../../src/ledger_queue/insight/integrity.ts";
import { taskOfRow } from "../../src/ledger_queue/rows/task_row.ts";
import { crc32 } from "../../src/storage/crc32.ts";
import { decodeFrame, type Frame, frameBytes } from "../../src/storage/frame.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { EventLog } from "./event_log.ts";
import { describe, isFinalStatus } from "./facts.ts";
import { FlowAudit } from "./flow_audit.ts";
import { checkTagRows } from "./tag_rows_audit.ts";
import { TotalsAudit } from "./totals_audit.ts";
import { checkGroupRows } from "./group_rows_audit.ts";
import { OrderAudit } from "./order_audit.ts";

/** Rows as a process saw them, at a place in the journal. */
export interface Sighting {
  readonly sequence: number;
  /** The same only after the same records. */
  readonly chain: number;
  readonly rows: string;
}

/** Every row of every table, as text. */
export function dumpRows(reader: Reader): string {
  const tables = reader.read(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'holdfast_meta' ORDER BY name",
  );
  return JSON.stringify(tables.map(([table]) => {
    const rows = reader.read(`SELECT * FROM ${table}`).map((row) => JSON.stringify(row));
    return [table, rows.sort()];
  }));
}

/** A number that stands for every record up to `sequence`. */
export function chainAt(disk: SimulatedDisk, sequence: number): number {
  let chain = 0;
  for (const frame of framesOf(disk)) {
    if (frame.sequence > sequence) break;
    chain = crc32(frame.payload, chain) ^ frame.sequence;
  }
  return chain;
}

/** What replaying needs. */
export interface ReplayOptions {
  readonly disk: SimulatedDisk;
  readonly engine: SqlEngine;
  readonly log: EventLog;
  readonly areClocksEqual: boolean;
  readonly hasGroups: boolean;
  readonly wasRetryAsked: (taskId: number) => boolean;
  readonly wasPruneAsked: boolean;
  /** The tasks that were acknowledged. */
  readonly knownIds: readonly number[];
}

/** Replays the journal and compares with every sighting of the same history. */
export function checkReplay(sightings: readonly Sighting[], options: ReplayOptions): void {
  const { disk, engine, log } = options;
  const replica = Replica.open({ engine, schema: QUEUE_SCHEMA, path: "replay" }, undefined);
  const audit = new TransitionAudit(options);
  const flow = new FlowAudit(log);
  const totals = new TotalsAudit(log);
  try {
    replica.migrate(QUEUE_SCHEMA.migrations.length);
    let chain = 0;
    let last = { sequence: 0, chain };
    for (const frame of framesOf(disk)) {
      if (frame.kind === "commit") {
        const changes = replica.apply(frame.payload);
        audit.check(changes);
        flow.check(changes);
        if (options.hasGroups) {
          checkGroupRows(replica, log, (type, grp) => flow.isHeldBack(type, grp));
        }
        checkTagRows(replica, log);
        checkWhole(changes, replica, log);
        totals.check(changes, replica);
        checkCounts(replica, { sequence: frame.sequence, log });
      }
      chain = crc32(frame.payload, chain) ^ frame.sequence;
      const seen = sightings.filter((sighting) =>
        sighting.sequence === frame.sequence && sighting.chain === chain
      );
      if (seen.length > 0) compare(dumpRows(replica), seen, { sequence: frame.sequence, log });
      log.count("records replayed");
      last = { sequence: frame.sequence, chain };
    }
    const isEndSeen = sightings.some(({ sequence, chain }) =>
      sequence === last.sequence && chain === last.chain
    );
    audit.checkPresent(options.knownIds);
    if (!isEndSeen) log.violate("nobody saw the rows that the journal ends with");
  } finally {
    replica.close();
  }
}

/** Only the columns that changed are applied; the whole rows, by which a repair goes, must say the same. */
function checkWhole(changes: readonly Change[], reader: Reader, log: EventLog): void {
  const last = new Map(changes.map((change) => [JSON.stringify(keyOf(change)), change]));
  for (const change of last.values()) {
    const { table, key } = keyOf(change);
    const where = table.key.map((column) => `${column} = ?`).join(" AND ");
    const found = reader.read(`SELECT * FROM ${table.name} WHERE ${where}`, key);
    const said = change.row === null ? [] : [change.row];
    log.count("rows compared with their images");
    if (JSON.stringify(found) !== JSON.stringify(said)) {
      log.violate(
        `a row of ${table.name} is ${JSON.stringify(found)}, its image ${JSON.stringify(said)}`,
      );
    }
  }
}

/** The counts that are kept are those of the rows, after every record. */
function checkCounts(
  reader: Reader,
  { sequence, log }: { readonly sequence: number; readonly log: EventLog },
): void {
  for (const problem of miscounts(reader)) log.violate(`after record ${sequence} ${problem}`);
}

/** Every table begins with its key. */
function keyOf(change: Change): { readonly table: TableDefinition; readonly key: SqlRow } {
  const table = QUEUE_SCHEMA.tables.find(({ name }) => name === change.table)!;
  return { table, key: change.row === null ? change.key : change.row.slice(0, table.key.length) };
}

function compare(
  rows: string,
  seen: readonly Sighting[],
  { sequence, log }: { readonly sequence: number; readonly log: EventLog },
): void {
  log.count("prefixes compared", seen.length);
  for (const sighting of seen) {
    if (sighting.rows !== rows) {
      log.violate(`replaying ${sequence} records gives other rows than a process saw`);
    }
  }
}

/** The records of every segment that there is or was, in order. */
function* framesOf(disk: SimulatedDisk): Iterable<Frame> {
  for (let next = 1;;) {
    const bytes = disk.segmentBytes(`journal-${next}`);
    if (bytes === undefined) return;
    const first = next;
    for (let at = SEGMENT_HEADER_BYTES;;) {
      const frame = decodeFrame(bytes, at);
      if (frame === undefined || frame.sequence !== next) break;
      yield frame;
      at += frameBytes(frame);
      next++;
    }
    if (next === first) return;
  }
}

/** Looks at each change of a task. */
class TransitionAudit {
  readonly #options: ReplayOptions;
  readonly #tasks = new Map<number, Task>();
  readonly #parents = new Map<number, Set<number>>();
  readonly #removed = new Set<number>();
  readonly #order: OrderAudit;
  #lastId = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#order = new OrderAudit(options.log);
  }

  check(changes: readonly Change[]): void {
    for (const change of changes) {
      const { table, row } = change;
      if (table === DEPENDENCY_TABLE && row !== null) {
        this.#noteParent(Number(row[0]), Number(row[1]));
      }
      if (table !== TASK_TABLE) continue;
      if (row === null) this.#checkRemoval(Number(change.key[0]));
      else this.#checkRow(row);
    }
  }

  /** Every one of these tasks is there, or was removed. */
  checkPresent(taskIds: readonly number[]): void {
    for (const id of taskIds) {
      if (this.#tasks.has(id) || this.#removed.has(id)) continue;
      this.#options.log.violate(`the journal knows nothing of acknowledged task ${id}`);
    }
  }

  #checkRemoval(taskId: number): void {
    const { log, wasPruneAsked } = this.#options;
    const task = this.#tasks.get(taskId);
    const isAllowed = wasPruneAsked && task !== undefined && isFinalStatus(task.status);
    if (!isAllowed) log.violate(`the journal removes ${task ? describe(task) : `task ${taskId}`}`);
    const waiting = [...this.#tasks.values()].find((child) =>
      !isFinal(child.status) && this.#parents.get(child.id)?.has(taskId)
    );
    if (waiting !== undefined) log.violate(`the journal removes a parent of ${describe(waiting)}`);
    log.count("tasks pruned");
    if (task !== undefined) this.#order.forget(task);
    this.#tasks.delete(taskId);
    this.#removed.add(taskId);
  }

  #checkRow(row: SqlRow): void {
    const task = taskOfRow(row);
    const before = this.#tasks.get(task.id);
    const reason = before === undefined
      ? whyNotNew(task, this.#lastId) ?? this.#whyNotUnique(task)
      : whyNotNext(before, task, this.#rulesFor(before, task));
    if (reason !== undefined) {
      const from = before === undefined ? "nothing" : describe(before);
      this.#options.log.violate(`the journal turns ${from} into ${describe(task)}: ${reason}`);
    }
    this.#order.check(before, task);
    this.#tasks.set(task.id, task);
    this.#lastId = Math.max(this.#lastId, task.id);
  }

  /** No task of the simulation is stored under a key whose latest task has never started and will. */
  #whyNotUnique({ type, uniqueKey, createdAt }: Task): string | undefined {
    if (uniqueKey === null) return undefined;
    const holder = [...this.#tasks.values()]
      .filter((task) => task.type === type && task.uniqueKey === uniqueKey)
      .reduce<Task | undefined>((last, task) => last && last.id > task.id ? last : task, undefined);
    const isPending = holder?.status === "queued" && holder.leaseToken === 0 &&
      !isExpired(holder, createdAt);
    return isPending ? `task ${holder.id} under its key has never started` : undefined;
  }

  #noteParent(childId: number, parentId: number): void {
    const parents = this.#parents.get(childId) ?? new Set();
    this.#parents.set(childId, parents.add(parentId));
  }

  #rulesFor(before: Task, after: Task): TransitionRules {
    const { areClocksEqual, wasRetryAsked, log } = this.#options;
    const parents = [...this.#parents.get(after.id) ?? []]
      .map((id) => this.#tasks.get(id)).filter((parent) => parent !== undefined);
    if (parents.length > 0 && before.status === "queued") {
      if (after.status === "leased") log.count("children started");
      if (isEndedByParent(after)) log.count("children ended by a parent");
    }
    const mayComeBack = wasRetryAsked(after.id);
    if (after.status === "cancelled" && after.errorMessage!.startsWith("Expired: ")) {
      log.count("tasks expired");
    }
    if (!mayComeBack && isEndedByParent(before) && after.status === "queued") {
      log.count("children brought back by a parent");
    }
    return {
      areClocksEqual,
      parents,
      isHoldingUp: this.#order.isHeldUp(before.orderingKey),
      wasRetryAsked: mayComeBack ||
        isEndedByParent(before) && parents.some(({ status }) => !isFinal(status)),
    };
  }
}

/** Whether a parent's end was the end of a task. */
function isEndedByParent({ status, errorMessage }: Task): boolean {
  return (status === "failed" || status === "cancelled") &&
    errorMessage?.startsWith("Parent task ") === true;
}

/** What a change of a task is judged by. */
interface TransitionRules {
  readonly areClocksEqual: boolean;
  /** As they are at this place in the journal. */
  readonly parents: readonly Task[];
  /** Whether anybody asked to retry it, or a parent that had ended it is back. */
  readonly wasRetryAsked: boolean;
  /** Whether its ordering key waits for what has failed. */
  readonly isHoldingUp: boolean;
}

function whyNotNew(task: Task, lastId: number): string | undefined {
  if (task.id <= lastId) return `its id is not above ${lastId}`;
  const isFresh = task.status === "queued" && task.attempts === 0 && task.leaseToken === 0;
  return isFresh ? undefined : "it is not fresh";
}

function whyNotNext(before: Task, after: Task, rules: TransitionRules): string | undefined {
  if (before.runId !== after.runId) return "its run id changed";
  if (after.attempts > after.maxAttempts) return "too many attempts";
  const isClaim = before.status === "queued" && after.status === "leased";
  if (after.leaseToken !== before.leaseToken + (isClaim ? 1 : 0)) return "its token is wrong";
  switch (`${before.status} ${after.status}`) {
    case "queued leased":
      if (after.attempts !== before.attempts + 1) return "the attempt is not counted";
      if (rules.parents.some(({ status }) => !isFinal(status))) return "a parent is not final";
      if (isExpired(before, after.processingStarted!)) return "it had expired";
      return before.runAfter <= after.processingStarted! || !rules.areClocksEqual
        ? undefined
        : "it was not due";
    case "queued cancelled":
      if (!after.errorMessage!.startsWith("Expired: ")) return whyNotAttempts(before, after);
      return isExpired(before, after.updatedAt) ? undefined : "it had not expired";
    case "queued queued":
    case "leased leased":
    case "leased completed":
    case "leased cancelled":
      return whyNotAttempts(before, after);
    case "queued failed":
      return isEndedByParent(after) && after.attempts === before.attempts
        ? undefined
        : "no parent ended it";
    case "leased failed":
    case "leased queued":
      return whyNotRescued(before, after) ?? whyNotFailed(before, after);
    case "failed queued":
    case "cancelled queued":
      return rules.wasRetryAsked && after.attempts === 0 ? undefined : "nobody asked to retry it";
    case "failed cancelled":
      return rules.isHoldingUp ? whyNotAttempts(before, after) : "it held up no other";
    case "failed failed":
    case "cancelled cancelled":
      return whyNotEndedByAnother(before, after, rules);
    default:
      return "no rule allows it";
  }
}

function whyNotAttempts(before: Task, after: Task): string | undefined {
  return after.attempts === before.attempts ? undefined : "its attempts changed";
}

/** Whether a task that has never started is to end by itself. */
function isExpired({ expiresAt, leaseToken }: Task, at: Date): boolean {
  return expiresAt !== null && leaseToken === 0 && expiresAt <= at;
}

/** A parent that had ended a task is back, and another one that stands failed has ended it now. */
function whyNotEndedByAnother(
  before: Task,
  after: Task,
  { parents }: TransitionRules,
): string | undefined {
  const isOne = isEndedByParent(before) && isEndedByParent(after) &&
    after.attempts === before.attempts &&
    parents.some(({ id, status }) =>
      (status === "failed" || status === "cancelled") &&
      after.errorMessage!.startsWith(`Parent task ${id} `)
    );
  return isOne ? undefined : "no other parent ended it";
}

/** Clients say with which lease they fail a task. */
function whyNotFailed(before: Task, after: Task): string | undefined {
  if (after.errorMessage === before.errorMessage) return undefined;
  const [, token] = /^not now (\d+)$/.exec(after.errorMessage ?? "") ?? [];
  if (token === undefined || Number(token) === before.leaseToken) return undefined;
  return `lease ${token} failed it`;
}

function whyNotRescued(before: Task, after: Task): string | undefined {
  const isRescued = after.errorMessage?.includes("stopped renewing") === true &&
    after.attempts === before.attempts && after.errorMessage !== before.errorMessage;
  if (!isRescued || after.updatedAt >= before.leaseUntil!) return undefined;
  return "its lease had not expired";
}
