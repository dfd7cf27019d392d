/**
 * Reads the whole journal again, record by record, in a replica of its own.
 *
 * After each record whose state a process was seen in, the rows must be those: `recover(prefix) = state(prefix)`. Each
 * change of a task must be one that the rules allow. At the end the rows must be those of snapshot and later records.
 */
import { type Change, type Reader, Replica } from "../../src/ledger/replica.ts";
import type { SqlEngine, SqlRow } from "../../src/ledger/sql_engine.ts";
import { QUEUE_SCHEMA, TASK_TABLE } from "../../src/queue/schema.ts";
import { taskOfRow } from "../../src/queue/task_row.ts";
import { crc32 } from "../../src/storage/crc32.ts";
import { decodeFrame, type Frame, frameBytes } from "../../src/storage/frame.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import type { Task } from "../../src/domain/task.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { EventLog } from "./event_log.ts";
import { describe, isFinalStatus } from "./facts.ts";

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
  readonly wasRetryAsked: (taskId: number) => boolean;
  readonly wasPruneAsked: boolean;
  /** The tasks that were acknowledged. */
  readonly knownIds: readonly number[];
}

/** Replays the journal and compares with every sighting of the same history. */
export function checkReplay(sightings: readonly Sighting[], options: ReplayOptions): void {
  const { disk, engine, log } = options;
  const replica = Replica.open(engine, QUEUE_SCHEMA, undefined, "replay");
  const audit = new TransitionAudit(options);
  try {
    replica.migrate(QUEUE_SCHEMA.migrations.length);
    let chain = 0;
    let last = { sequence: 0, chain };
    for (const frame of framesOf(disk)) {
      if (frame.kind === "commit") audit.check(replica.apply(frame.payload));
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
  readonly #removed = new Set<number>();
  #lastId = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  check(changes: readonly Change[]): void {
    for (const { table, row, key } of changes) {
      if (table !== TASK_TABLE) continue;
      if (row === null) this.#checkRemoval(Number(key?.[0]));
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
    log.count("tasks pruned");
    this.#tasks.delete(taskId);
    this.#removed.add(taskId);
  }

  #checkRow(row: SqlRow): void {
    const task = taskOfRow(row);
    const before = this.#tasks.get(task.id);
    const reason = before === undefined
      ? whyNotNew(task, this.#lastId)
      : whyNotNext(before, task, this.#rulesFor(task.id));
    if (reason !== undefined) {
      const from = before === undefined ? "nothing" : describe(before);
      this.#options.log.violate(`the journal turns ${from} into ${describe(task)}: ${reason}`);
    }
    this.#tasks.set(task.id, task);
    this.#lastId = Math.max(this.#lastId, task.id);
  }

  #rulesFor(taskId: number): TransitionRules {
    const { areClocksEqual, wasRetryAsked } = this.#options;
    return { areClocksEqual, wasRetryAsked: wasRetryAsked(taskId) };
  }
}

/** What a change of a task is judged by. */
interface TransitionRules {
  readonly areClocksEqual: boolean;
  readonly wasRetryAsked: boolean;
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
      return before.runAfter <= after.reservedAt! || !rules.areClocksEqual
        ? undefined
        : "it was not due";
    case "queued queued":
    case "queued cancelled":
    case "leased leased":
    case "leased completed":
    case "leased cancelled":
      return after.attempts === before.attempts ? undefined : "its attempts changed";
    case "leased failed":
    case "leased queued":
      return whyNotRescued(before, after) ?? whyNotFailed(before, after);
    case "failed queued":
    case "cancelled queued":
      return rules.wasRetryAsked && after.attempts === 0 ? undefined : "nobody asked to retry it";
    default:
      return "no rule allows it";
  }
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
