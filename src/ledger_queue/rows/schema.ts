/**
 * The queue's table, with the original system's column names.
 *
 * Instants are integers, milliseconds since 1970-01-01 UTC. `is_ready` is 1 while a queued task is known to be due:
 * then it stands in the three claim indexes, one per key, behind its type and compatibility (its lane). A task scheduled
 * for later stands in `scheduled_tasks` only, so it costs a claim nothing; a claim first moves those that became due. A
 * task that waits for parents (`waits_for` > 0) stands in neither.
 */
import type { Schema } from "../../ledger/schema.ts";

/** Holds every task. */
export const TASK_TABLE = "task_queue";

/** Holds, for weighted random, how far the clocks of a lane have run (see `domain/claim_order.ts`). */
export const LANE_TABLE = "claim_lanes";

/** Holds one row for each transition of each task; they go when the task goes. */
export const LOG_TABLE = "task_logs";

/**
 * Holds one row for each parent of each task, as long as the child's row is there. Its `state` is `open` exactly while
 * the parent is not final (or has children that were not told yet, see `UNSETTLED_TABLE`); then it is `ended_child` when it
 * ended the child, else `met`. A queued task's `waits_for` is the number of its rows that are open, and one more for a task that is
 * behind another under its ordering key.
 */
export const DEPENDENCY_TABLE = "task_dependencies";

/** Holds the tasks some of whose children have yet to be told where it is now; see `tasks/propagate.ts`. */
export const UNSETTLED_TABLE = "unsettled_tasks";

/** Holds the schedules; a firing moves `next_at_utc` in the transaction that enqueues its task. */
export const SCHEDULE_TABLE = "schedules";

/** Holds where to report that a task has ended, as long as the task's row is there. */
export const WEBHOOK_TABLE = "task_webhooks";

/** Holds one row for each scope that has a limit or is paused; an empty type is the whole queue, an empty group is no group. */
export const FLOW_TABLE = "flow_limits";

/**
 * Holds the slots of tasks that were cancelled under a limit while they ran: their workers have yet to stop them. All other slots
 * are the leases themselves.
 */
export const SLOT_TABLE = "flow_slots";

/** Holds, for scopes with a rate, what it has counted of starts, as one number; see `rows/buckets.ts`. */
export const BUCKET_TABLE = "flow_buckets";

/**
 * Holds the groups of each lane that has seen one, and whose turn it is; the tasks without a group are the group with the empty name. A group
 * is active while it has ready tasks, and closed while its own limit or pause lets none start. See `rows/groups.ts`.
 */
export const GROUP_TABLE = "group_lanes";

/** Holds the workers that have sent a heartbeat lately. */
export const WORKER_TABLE = "workers";

/** Holds what the queue notes of itself, each string under a name: see `queue_policy/closure.ts`. */
export const NOTE_TABLE = "queue_notes";

/** Holds, for each type, how often what happened to its tasks; under the empty type, up to which row the log is counted. See `rows/totals.ts`. */
export const TOTALS_TABLE = "transition_totals";

/** The columns of `task_queue`, in order: a row by position is read with these. */
export const TASK_COLUMNS = [
  "id",
  "run_id",
  "type",
  "priority",
  "payload",
  "compatibility",
  "status",
  "attempts",
  "max_attempts",
  "run_after_utc",
  "lease_until_utc",
  "reserved_at_utc",
  "processing_started_utc",
  "finished_at_utc",
  "created_at_utc",
  "updated_at_utc",
  "locked_by",
  "lease_token",
  "error_message",
  "idempotency_key",
  "result",
  "progress_percent",
  "progress_message",
  "retry_policy",
  "timeout_ms",
  "is_ready",
  "draw_key",
  "waits_for",
  "trace_parent",
  "grp",
  "expires_at",
  "unique_key",
  "ordering_key",
  "on_predecessor_failure",
  "ordering_place",
  "is_behind",
] as const;

/** A column of `task_queue`. */
export type TaskColumn = typeof TASK_COLUMNS[number];

const VERSION_1 = `
  CREATE TABLE task_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 1000),
    payload TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'leased', 'completed', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    run_after_utc INTEGER NOT NULL,
    lease_until_utc INTEGER,
    reserved_at_utc INTEGER,
    processing_started_utc INTEGER,
    finished_at_utc INTEGER,
    created_at_utc INTEGER NOT NULL,
    updated_at_utc INTEGER NOT NULL,
    locked_by TEXT,
    lease_token INTEGER NOT NULL,
    error_message TEXT,
    idempotency_key TEXT UNIQUE,
    result TEXT,
    progress_percent REAL,
    progress_message TEXT,
    retry_policy TEXT,
    timeout_ms INTEGER,
    is_ready INTEGER NOT NULL,
    draw_key REAL NOT NULL
  );
  CREATE INDEX ready_by_priority ON task_queue (type, compatibility, priority, id) WHERE is_ready = 1;
  CREATE INDEX ready_by_id ON task_queue (type, compatibility, id) WHERE is_ready = 1;
  CREATE INDEX ready_by_draw ON task_queue (type, compatibility, draw_key) WHERE is_ready = 1;
  CREATE INDEX scheduled_tasks ON task_queue (run_after_utc) WHERE status = 'queued' AND is_ready = 0;
  CREATE INDEX leased_tasks ON task_queue (lease_until_utc) WHERE status = 'leased';
  CREATE INDEX tasks_by_status ON task_queue (status, type, id);
  CREATE TABLE claim_lanes (
    type TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    clock REAL NOT NULL,
    PRIMARY KEY (type, compatibility)
  ) WITHOUT ROWID
`;

/** `duration_ms` is how long the task waited (`leased`) or ran (what ends an attempt). */
const VERSION_2 = `
  CREATE TABLE task_logs (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id INTEGER NOT NULL,
    at_utc INTEGER NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT,
    duration_ms INTEGER
  );
  CREATE INDEX task_logs_by_task ON task_logs (task_id);
  CREATE TABLE workers (
    worker_id TEXT PRIMARY KEY,
    capabilities TEXT NOT NULL,
    types TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_at_utc INTEGER NOT NULL,
    heartbeat_utc INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX workers_by_heartbeat ON workers (heartbeat_utc);
  CREATE INDEX finished_tasks ON task_queue (status, finished_at_utc) WHERE finished_at_utc IS NOT NULL
`;

/** `parent_run_id` stays when the parent is pruned. */
const VERSION_3 = `
  ALTER TABLE task_queue ADD COLUMN waits_for INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE task_queue ADD COLUMN trace_parent TEXT;
  DROP INDEX scheduled_tasks;
  CREATE INDEX scheduled_tasks ON task_queue (run_after_utc)
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0;
  CREATE INDEX waiting_tasks ON task_queue (id) WHERE waits_for > 0;
  CREATE TABLE task_dependencies (
    child_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    parent_run_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    on_failure TEXT NOT NULL CHECK (on_failure IN ('fail', 'skip', 'run')),
    state TEXT NOT NULL CHECK (state IN ('open', 'met', 'ended_child')),
    PRIMARY KEY (child_id, parent_id)
  ) WITHOUT ROWID;
  CREATE INDEX dependencies_by_parent ON task_dependencies (parent_id, state);
  CREATE TABLE unsettled_tasks (
    task_id INTEGER PRIMARY KEY,
    since_utc INTEGER NOT NULL
  )
`;

/** `next_at_utc` is null when a cron expression has no later instant. */
const VERSION_4 = `
  CREATE TABLE schedules (
    schedule_id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    priority INTEGER NOT NULL,
    compatibility TEXT NOT NULL,
    max_attempts INTEGER NOT NULL,
    retry_policy TEXT,
    timeout_ms INTEGER,
    every_ms INTEGER,
    cron TEXT,
    time_zone TEXT NOT NULL,
    catch_up TEXT NOT NULL CHECK (catch_up IN ('skip', 'once', 'all')),
    catch_up_max INTEGER NOT NULL,
    overlaps INTEGER NOT NULL,
    is_paused INTEGER NOT NULL,
    next_at_utc INTEGER,
    last_fired_at_utc INTEGER,
    last_task_id INTEGER,
    firings INTEGER NOT NULL,
    created_at_utc INTEGER NOT NULL,
    updated_at_utc INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX next_schedules ON schedules (next_at_utc) WHERE is_paused = 0 AND next_at_utc IS NOT NULL
`;

const VERSION_5 = `
  CREATE TABLE task_webhooks (
    task_id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    events TEXT NOT NULL
  )
`;

/** A schedule's webhook is that of each of its tasks. */
const VERSION_6 = `
  ALTER TABLE schedules ADD COLUMN webhook_url TEXT;
  ALTER TABLE schedules ADD COLUMN webhook_events TEXT
`;

/** How a worker orders what is due, and how many tasks of single types it runs at the same time at most (JSON). */
const VERSION_7 = `
  ALTER TABLE workers ADD COLUMN strategy TEXT NOT NULL DEFAULT 'priority';
  ALTER TABLE workers ADD COLUMN type_limits TEXT NOT NULL DEFAULT '{}'
`;

const VERSION_8 = `
  CREATE TABLE queue_notes (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) WITHOUT ROWID
`;

/** A limit and a pause for each scope; the slots that cancelled tasks still hold. Times of limits and pauses are null without them. */
const VERSION_9 = `
  CREATE TABLE flow_limits (
    type TEXT NOT NULL,
    grp TEXT NOT NULL,
    concurrency INTEGER CHECK (concurrency > 0),
    is_declared INTEGER NOT NULL,
    limit_at_utc INTEGER,
    limit_by TEXT,
    paused_at_utc INTEGER,
    paused_by TEXT,
    paused_reason TEXT,
    paused_until_utc INTEGER,
    PRIMARY KEY (type, grp)
  ) WITHOUT ROWID;
  CREATE TABLE flow_slots (
    task_id INTEGER NOT NULL,
    lease_token INTEGER NOT NULL,
    type TEXT NOT NULL,
    grp TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    since_utc INTEGER NOT NULL,
    until_utc INTEGER NOT NULL,
    PRIMARY KEY (task_id, lease_token)
  ) WITHOUT ROWID
`;

/**
 * Groups: an empty string is no group. The claim indexes find the first task of a group; `group_lanes` has a row for each group of
 * a lane that has seen one.
 */
const VERSION_10 = `
  ALTER TABLE task_queue ADD COLUMN grp TEXT NOT NULL DEFAULT '';
  ALTER TABLE schedules ADD COLUMN grp TEXT NOT NULL DEFAULT '';
  ALTER TABLE flow_limits ADD COLUMN weight REAL;
  DROP INDEX ready_by_priority;
  DROP INDEX ready_by_id;
  DROP INDEX ready_by_draw;
  CREATE INDEX ready_by_priority ON task_queue (type, compatibility, grp, priority, id)
    WHERE is_ready = 1;
  CREATE INDEX ready_by_id ON task_queue (type, compatibility, grp, id) WHERE is_ready = 1;
  CREATE INDEX ready_by_draw ON task_queue (type, compatibility, grp, draw_key) WHERE is_ready = 1;
  CREATE INDEX tasks_by_group ON task_queue (grp, id) WHERE grp <> '';
  CREATE INDEX leased_by_group ON task_queue (grp, type) WHERE status = 'leased' AND grp <> '';
  CREATE TABLE group_lanes (
    type TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    grp TEXT NOT NULL,
    tag REAL NOT NULL,
    served REAL NOT NULL,
    clock REAL NOT NULL,
    is_active INTEGER NOT NULL,
    closed_at INTEGER,
    opens_at_utc INTEGER,
    PRIMARY KEY (type, compatibility, grp)
  ) WITHOUT ROWID;
  CREATE INDEX open_groups ON group_lanes (type, compatibility, tag, grp)
    WHERE is_active = 1 AND closed_at IS NULL;
  CREATE INDEX served_groups ON group_lanes (type, compatibility, served);
  CREATE INDEX idle_groups ON group_lanes (type, compatibility, tag) WHERE is_active = 0;
  CREATE INDEX closed_groups ON group_lanes (closed_at) WHERE closed_at IS NOT NULL;
  CREATE INDEX timed_groups ON group_lanes (opens_at_utc) WHERE opens_at_utc IS NOT NULL;
  CREATE INDEX closed_by_group ON group_lanes (grp) WHERE closed_at IS NOT NULL
`;

/** When a task that has not started is cancelled by itself; how long after its firing a schedule's task is. */
const VERSION_11 = `
  ALTER TABLE task_queue ADD COLUMN expires_at INTEGER;
  ALTER TABLE schedules ADD COLUMN expires_in_ms INTEGER;
  CREATE INDEX expiring_tasks ON task_queue (expires_at)
    WHERE expires_at IS NOT NULL AND status = 'queued' AND lease_token = 0
`;

/** The key that makes a task unique among those of its type; what makes a schedule's tasks unique (JSON). */
const VERSION_12 = `
  ALTER TABLE task_queue ADD COLUMN unique_key TEXT;
  ALTER TABLE schedules ADD COLUMN unique_by TEXT;
  CREATE INDEX tasks_by_unique_key ON task_queue (type, unique_key, id) WHERE unique_key IS NOT NULL
`;

/** Since when the oldest ready task of a type is due, see `insight/due.ts`. */
const VERSION_13 = `
  CREATE INDEX ready_by_due ON task_queue (type, max(created_at_utc, run_after_utc))
    WHERE is_ready = 1
`;

/** The rate of a scope; the buckets that have counted starts, in µs since 1970. */
const VERSION_14 = `
  ALTER TABLE flow_limits ADD COLUMN rate_limit INTEGER;
  ALTER TABLE flow_limits ADD COLUMN rate_period_ms INTEGER;
  ALTER TABLE flow_limits ADD COLUMN rate_burst INTEGER;
  CREATE TABLE flow_buckets (
    type TEXT NOT NULL,
    grp TEXT NOT NULL,
    tat_us INTEGER NOT NULL,
    PRIMARY KEY (type, grp)
  ) WITHOUT ROWID;
  CREATE INDEX buckets_by_tat ON flow_buckets (tat_us)
`;

/**
 * Order. A task's place under its ordering key is its own id where `ordering_place` is null. `is_behind` is 0 for the task whose turn it
 * is, 1 for the others that are not final, null for all else; see `rows/order.ts`.
 */
const VERSION_15 = `
  ALTER TABLE task_queue ADD COLUMN ordering_key TEXT;
  ALTER TABLE task_queue ADD COLUMN on_predecessor_failure TEXT;
  ALTER TABLE task_queue ADD COLUMN ordering_place INTEGER;
  ALTER TABLE task_queue ADD COLUMN is_behind INTEGER;
  ALTER TABLE schedules ADD COLUMN ordering_key TEXT;
  ALTER TABLE schedules ADD COLUMN on_predecessor_failure TEXT;
  CREATE INDEX ordered_tasks ON task_queue (ordering_key, ifnull(ordering_place, id), id)
    WHERE ordering_key IS NOT NULL AND status IN ('queued', 'leased');
  CREATE INDEX order_fronts ON task_queue (ordering_key)
    WHERE ordering_key IS NOT NULL AND is_behind = 0;
  CREATE INDEX order_failures ON task_queue (ordering_key, ifnull(ordering_place, id), id)
    WHERE ordering_key IS NOT NULL AND status = 'failed'
`;

/** What had happened before is not counted: a part of it may be gone. */
const VERSION_16 = `
  CREATE TABLE transition_totals (
    type TEXT PRIMARY KEY,
    totals TEXT NOT NULL
  ) WITHOUT ROWID;
  INSERT INTO transition_totals (type, totals)
    SELECT '', CAST(max(log_id) AS TEXT) FROM task_logs HAVING max(log_id) > 0
`;

/** The queue's tables and how they came about. */
export const QUEUE_SCHEMA: Schema = Object.freeze({
  tables: [
    { name: TASK_TABLE, key: ["id"] },
    { name: LANE_TABLE, key: ["type", "compatibility"] },
    { name: LOG_TABLE, key: ["log_id"] },
    { name: WORKER_TABLE, key: ["worker_id"] },
    { name: DEPENDENCY_TABLE, key: ["child_id", "parent_id"] },
    { name: UNSETTLED_TABLE, key: ["task_id"] },
    { name: SCHEDULE_TABLE, key: ["schedule_id"] },
    { name: WEBHOOK_TABLE, key: ["task_id"] },
    { name: NOTE_TABLE, key: ["name"] },
    { name: FLOW_TABLE, key: ["type", "grp"] },
    { name: SLOT_TABLE, key: ["task_id", "lease_token"] },
    { name: BUCKET_TABLE, key: ["type", "grp"] },
    { name: GROUP_TABLE, key: ["type", "compatibility", "grp"] },
    { name: TOTALS_TABLE, key: ["type"] },
  ],
  migrations: [
    VERSION_1,
    VERSION_2,
    VERSION_3,
    VERSION_4,
    VERSION_5,
    VERSION_6,
    VERSION_7,
    VERSION_8,
    VERSION_9,
    VERSION_10,
    VERSION_11,
    VERSION_12,
    VERSION_13,
    VERSION_14,
    VERSION_15,
    VERSION_16,
  ],
});
