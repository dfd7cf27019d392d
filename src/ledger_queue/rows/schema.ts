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

/** Holds one row for each tag of each task, by which it is found; see `rows/tags.ts`. */
export const TAG_TABLE = "task_tags";

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
  "tags",
] as const;

/** A column of `task_queue`. */
export type TaskColumn = typeof TASK_COLUMNS[number];

/**
 * Tasks. An empty string is no group. A task's place under its ordering key is its own id where `ordering_place` is null. `is_behind` is
 * 0 for the task whose turn it is under that key, 1 for the others that are not final, null for all else; see `rows/order.ts`. The claim
 * indexes find the first task of a group, `ready_by_due` since when the oldest ready task of a type is due (`insight/due.ts`). `tags` is JSON, null for
 * none; `task_tags` has a row for each of them.
 */
const TASKS = `
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
    draw_key REAL NOT NULL,
    waits_for INTEGER NOT NULL DEFAULT 0,
    trace_parent TEXT,
    grp TEXT NOT NULL DEFAULT '',
    expires_at INTEGER,
    unique_key TEXT,
    ordering_key TEXT,
    on_predecessor_failure TEXT,
    ordering_place INTEGER,
    is_behind INTEGER,
    tags TEXT
  );
  CREATE INDEX leased_tasks ON task_queue (lease_until_utc) WHERE status = 'leased';
  CREATE INDEX tasks_by_status ON task_queue (status, type, id);
  CREATE INDEX finished_tasks ON task_queue (status, finished_at_utc) WHERE finished_at_utc IS NOT NULL;
  CREATE INDEX scheduled_tasks ON task_queue (run_after_utc)
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0;
  CREATE INDEX waiting_tasks ON task_queue (id) WHERE waits_for > 0;
  CREATE INDEX ready_by_priority ON task_queue (type, compatibility, grp, priority, id)
    WHERE is_ready = 1;
  CREATE INDEX ready_by_id ON task_queue (type, compatibility, grp, id) WHERE is_ready = 1;
  CREATE INDEX ready_by_draw ON task_queue (type, compatibility, grp, draw_key) WHERE is_ready = 1;
  CREATE INDEX tasks_by_group ON task_queue (grp, id) WHERE grp <> '';
  CREATE INDEX leased_by_group ON task_queue (grp, type) WHERE status = 'leased' AND grp <> '';
  CREATE INDEX expiring_tasks ON task_queue (expires_at)
    WHERE expires_at IS NOT NULL AND status = 'queued' AND lease_token = 0;
  CREATE INDEX tasks_by_unique_key ON task_queue (type, unique_key, id) WHERE unique_key IS NOT NULL;
  CREATE INDEX ready_by_due ON task_queue (type, max(created_at_utc, run_after_utc))
    WHERE is_ready = 1;
  CREATE INDEX ordered_tasks ON task_queue (ordering_key, ifnull(ordering_place, id), id)
    WHERE ordering_key IS NOT NULL AND status IN ('queued', 'leased');
  CREATE INDEX order_fronts ON task_queue (ordering_key)
    WHERE ordering_key IS NOT NULL AND is_behind = 0;
  CREATE INDEX order_failures ON task_queue (ordering_key, ifnull(ordering_place, id), id)
    WHERE ordering_key IS NOT NULL AND status = 'failed';
  CREATE TABLE task_tags (
    tag TEXT NOT NULL,
    task_id INTEGER NOT NULL,
    PRIMARY KEY (tag, task_id)
  ) WITHOUT ROWID
`;

/** Lanes, and the groups of those that have seen one. */
const LANES = `
  CREATE TABLE claim_lanes (
    type TEXT NOT NULL,
    compatibility TEXT NOT NULL,
    clock REAL NOT NULL,
    PRIMARY KEY (type, compatibility)
  ) WITHOUT ROWID;
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

/** Transitions: `duration_ms` is how long the task waited (`leased`) or ran (what ends an attempt). */
const LOG = `
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
  CREATE TABLE transition_totals (
    type TEXT PRIMARY KEY,
    totals TEXT NOT NULL
  ) WITHOUT ROWID
`;

/**
 * Workers: `strategy` is how one orders what is due, `type_limits` how many tasks of single types it runs at the same time at most
 * (JSON).
 */
const WORKERS = `
  CREATE TABLE workers (
    worker_id TEXT PRIMARY KEY,
    capabilities TEXT NOT NULL,
    types TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_at_utc INTEGER NOT NULL,
    heartbeat_utc INTEGER NOT NULL,
    strategy TEXT NOT NULL DEFAULT 'priority',
    type_limits TEXT NOT NULL DEFAULT '{}'
  ) WITHOUT ROWID;
  CREATE INDEX workers_by_heartbeat ON workers (heartbeat_utc)
`;

/** Workers say which version they run, and on what; NULL for those that did not. */
const WORKER_VERSIONS = `
  ALTER TABLE workers ADD COLUMN version TEXT;
  ALTER TABLE workers ADD COLUMN runtime TEXT
`;

/** Who is told how a task ended: `parent_run_id` stays when the parent is pruned. */
const FOLLOWERS = `
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
  );
  CREATE TABLE task_webhooks (
    task_id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    events TEXT NOT NULL
  )
`;

/**
 * Schedules. `next_at_utc` is null when a cron expression has no later instant. A schedule's webhook is that of each of its tasks,
 * `expires_in_ms` is how long after its firing a task expires, `unique_by` what makes its tasks unique (JSON).
 */
const SCHEDULES = `
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
    updated_at_utc INTEGER NOT NULL,
    webhook_url TEXT,
    webhook_events TEXT,
    grp TEXT NOT NULL DEFAULT '',
    expires_in_ms INTEGER,
    unique_by TEXT,
    ordering_key TEXT,
    on_predecessor_failure TEXT,
    tags TEXT
  ) WITHOUT ROWID;
  CREATE INDEX next_schedules ON schedules (next_at_utc) WHERE is_paused = 0 AND next_at_utc IS NOT NULL
`;

/** Limits, rates and pauses, whose times are null without them; what they count. `tat_us` is in µs since 1970. */
const FLOW = `
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
    weight REAL,
    rate_limit INTEGER,
    rate_period_ms INTEGER,
    rate_burst INTEGER,
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
  ) WITHOUT ROWID;
  CREATE TABLE flow_buckets (
    type TEXT NOT NULL,
    grp TEXT NOT NULL,
    tat_us INTEGER NOT NULL,
    PRIMARY KEY (type, grp)
  ) WITHOUT ROWID;
  CREATE INDEX buckets_by_tat ON flow_buckets (tat_us)
`;

const NOTES = `
  CREATE TABLE queue_notes (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) WITHOUT ROWID
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
    { name: TAG_TABLE, key: ["tag", "task_id"] },
  ],
  migrations: [
    [TASKS, LANES, LOG, WORKERS, FOLLOWERS, SCHEDULES, FLOW, NOTES].join(";"),
    WORKER_VERSIONS,
  ],
});
