/**
 * What commands write with `--json`, as zod schemas by name. Instants are ISO 8601 in UTC with milliseconds and `Z`.
 *
 * The commands take their types from here, `docs/cli.md` shows them, and a test checks what every command really writes.
 */
import { z } from "zod";
import { LogLineSchema } from "../server/logs/schemas.ts";
import { ScheduleListSchema, ScheduleSchema } from "../server/schedules/schemas.ts";
import { ChangedSchema, LimitListSchema } from "../server/limits/schemas.ts";
import { ExplanationSchema } from "../server/runs/schemas.ts";
import { HealthSchema, StatsSchema } from "../server/operations/schemas.ts";
import {
  outcomeSchema as outcome,
  TaskSchema,
  TransitionListSchema,
} from "../server/tasks/schemas.ts";
import { SearchPageSchema } from "../server/tasks/search_schemas.ts";
import { WorkerListSchema } from "../server/workers/schemas.ts";
import { BULK_ACTIONS, TASK_BACKENDS, TASK_STATUSES, TRANSFER_FORMATS } from "../src/mod.ts";

const instant = z.iso.datetime();
const count = z.number().int().min(0);

const Batch = z.object({
  created: count,
  existing: count,
  tasks: z.array(
    z.object({ id: z.number().int(), run_id: z.string(), created: z.boolean(), outcome }),
  ),
});

const LogLine = LogLineSchema;
const Transition = TransitionListSchema.shape.transitions.element;
const Worker = WorkerListSchema.shape.workers.element;

const Config = z.object({
  file: z.string().nullable(),
  settings: z.array(z.object({ name: z.string(), value: z.unknown(), from: z.string() })),
});

const WorkerSummary = z.object({
  worker_id: z.string(),
  completed: count,
  failed: count,
  retried: count,
  released: count,
  lost: count,
  cancelled: count,
  seconds: z.number(),
});

const Durations = z.object({
  count,
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
});

const byStatus = z.object({
  queued: count,
  leased: count,
  completed: count,
  failed: count,
  cancelled: count,
});

const Cancelled = z.object({ cancelled: z.boolean(), task: TaskSchema });
const Retried = z.object({ retried: z.boolean(), task: TaskSchema });
const TransferProblem = z.object({ id: z.number().nullable(), reason: z.string() });

const ShellCommands = z.object({
  to_queue: z.array(z.string()),
  to_memory: z.array(z.string()),
  to_python: z.array(z.string()),
});

/** What documents are made of, by the name that `docs/cli.md` gives it. */
export const PARTS = Object.freeze({
  Transition,
  LogLine,
  Worker,
  Durations,
  TransferProblem,
  ShellCommands,
});

/** Every document, by the name that `docs/cli.md` gives it. */
export const DOCUMENTS = Object.freeze({
  Task: TaskSchema,
  TaskList: z.object({
    tasks: z.array(TaskSchema),
    total: count,
    next_cursor: z.string().nullable(),
  }),
  SearchPage: SearchPageSchema,
  TaskHistory: z.object({
    task: TaskSchema,
    transitions: z.array(Transition),
    next_cursor: z.string().nullable(),
  }),
  Enqueued: z.object({ created: z.boolean(), outcome, task: TaskSchema }),
  EnqueuedBatch: Batch,
  Cancelled,
  CancelledEach: z.object({ results: z.array(Cancelled) }),
  Retried,
  RetriedEach: z.object({ results: z.array(Retried) }),
  Removed: z.object({ removed: z.boolean(), task_id: z.number().int() }),
  BulkDone: z.object({
    action: z.enum(BULK_ACTIONS),
    matched: count,
    changed: count,
    is_dry_run: z.boolean(),
    is_more: z.boolean(),
  }),
  Explanation: ExplanationSchema,
  TransitionList: TransitionListSchema,
  Log: z.object({ task_id: z.number().int(), run_id: z.string(), lines: z.array(LogLine) }),
  Stats: StatsSchema,
  StatsBlock: z.object({
    at: instant,
    by_status: z.record(z.enum(TASK_STATUSES), count),
    scheduled: count,
    due: count,
    oldest_due_age_ms: z.number().nullable(),
    window: z.object({
      window_ms: z.number(),
      enqueued: count,
      completed: count,
      failed: count,
      retried: count,
      cancelled: count,
      throughput_per_second: z.number(),
      success_rate: z.number().nullable(),
      wait_ms: Durations,
      run_ms: Durations,
    }),
    workers: z.array(Worker),
    latest_failures: z.array(z.object({
      task_id: z.number().int(),
      run_id: z.string(),
      type: z.string(),
      finished_at: instant.nullable(),
      error_message: z.string().nullable(),
    })),
  }),
  WorkerList: WorkerListSchema,
  ScheduleList: ScheduleListSchema,
  LimitList: LimitListSchema,
  LimitChanged: ChangedSchema,
  ScheduleAdded: z.object({ created: z.boolean(), schedule: ScheduleSchema }),
  ScheduleRemoved: z.object({ removed: z.boolean() }),
  Schedule: ScheduleSchema,
  WorkerSummary,
  Served: z.object({ url: z.string(), worker: WorkerSummary.nullable() }),
  Config,
  Health: z.object({
    status: z.enum(["healthy", "degraded", "unhealthy"]),
    reasons: HealthSchema.shape.reasons,
  }),
  Pruned: z.object({
    pruned: count,
    by_status: z.object({ completed: count, failed: count, cancelled: count }),
  }),
  Checkpointed: z.object({
    sequence: count,
    snapshot_bytes: count,
    removed_segments: count,
  }),
  BackedUp: z.object({ path: z.string(), bytes: count, sequence: count, tasks: count }),
  Restored: z.object({ path: z.string(), tasks: count, kept_in: z.string().nullable() }),
  Checked: z.object({
    success: z.boolean(),
    checks: z.array(z.object({ name: z.string(), success: z.boolean(), message: z.string() })),
    errors: z.array(z.string()),
  }),
  NewToken: z.object({
    name: z.string(),
    scopes: z.array(z.string()),
    token: z.string(),
    line: z.string(),
  }),
  Version: z.object({
    version: z.string(),
    commit: z.string().nullable(),
    built_at: instant.nullable(),
    deno: z.string(),
    v8: z.string(),
    sqlite: z.string(),
    target: z.string(),
    compiled: z.boolean(),
  }),
  Repaired: z.object({
    path: z.string(),
    tasks: count,
    records: count,
    lost: z.array(z.object({
      path: z.string(),
      offset: count,
      bytes: count,
      reason: z.string(),
    })),
  }),
  Moved: z.object({
    from: z.string(),
    to: z.string(),
    state: z.enum(["moved", "cancelled"]),
    contents: z.object({
      tasks: count,
      by_status: byStatus,
      by_type: z.record(z.string(), byStatus),
      transitions: count,
      schedules: count,
      checksum: z.string(),
    }).nullable(),
  }),
  Migrated: z.object({
    location: z.string(),
    version: z.number().int().nullable(),
    newest: z.number().int().nullable(),
    sql: z.array(z.string()),
    done: z.boolean(),
  }),
  Imported: z.object({
    path: z.string(),
    format: z.enum(TRANSFER_FORMATS),
    stored: z.boolean(),
    found: count,
    added: count,
    present: count,
    gone: count,
    returned: count,
    by_status: byStatus,
    by_type: z.record(z.string(), byStatus),
    problems: z.array(TransferProblem),
    conflicts: z.array(TransferProblem),
    notes: z.array(z.string()),
    schedules: z.object({ found: count, added: count, present: count }),
    limits: z.object({ found: count, added: count, present: count }),
  }),
  Exported: z.object({
    path: z.string().nullable(),
    format: z.enum(TRANSFER_FORMATS),
    exported: count,
    by_status: byStatus,
    returned: count,
    schedules: count,
    limits: count,
    left_out: count,
    notes: z.array(z.string()),
  }),
  Backend: z.object({
    active: z.enum(TASK_BACKENDS).nullable(),
    reason: z.string(),
    fallback: z.boolean().nullable(),
    variables: z.array(z.object({ name: z.string(), value: z.string().nullable() })),
    queue: z.object({
      path: z.string(),
      state: z.enum(["usable", "missing", "unusable"]),
      problem: z.string().nullable(),
      total: count,
      by_status: byStatus,
    }),
    commands: z.object({ posix: ShellCommands, powershell: ShellCommands }),
  }),
});

/** The name of a document. */
export type DocumentName = keyof typeof DOCUMENTS;

/** What a document is in TypeScript. */
export type DocumentOf<Name extends DocumentName> = z.infer<typeof DOCUMENTS[Name]>;
