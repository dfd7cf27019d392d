/**
 * What the API takes and gives, as types. A test holds them against the server's schemas.
 */

/** Where a run is. */
export type ClientRunStatus = "queued" | "running" | "completed" | "failed" | "cancelled";

/** A run. Instants are ISO 8601 with `Z`. */
export interface ClientRun {
  /** The run id. */
  run_id: string;
  /** The module: the task type. */
  module_id: string;
  /** The module's name for people. */
  module_name: string;
  /** Where it is. */
  status: ClientRunStatus;
  /** When it was made. */
  created_at: string;
  /** When its latest execution started. */
  started_at: string | null;
  /** When it reached its final status. */
  completed_at: string | null;
  /** From start to end. */
  duration_seconds: number | null;
  /** 0–100. */
  progress_percent: number | null;
  /** 0 when completed. */
  exit_code: number | null;
  /** Why it failed or was cancelled, or why its last attempt failed. */
  error_message: string | null;
  /** The module's input. */
  parameters: unknown;
  /** The value that the handler returned. */
  result: unknown;
  /** Executions started. */
  attempts: number;
  /** Lower runs first. */
  priority: number;
}

/** When and how often something runs. */
export interface RunOptions {
  /** 1–1000, lower runs first; default 100. */
  priority?: number;
  /** Not before this instant, RFC 3339 with a zone; default now. */
  run_after?: string;
  /** Cancelled by itself if it has not started by this instant, RFC 3339 with a zone, later than `run_after`; default never. */
  expires_at?: string;
  /** What becomes of it when there is a task of its type under the same key; not with `idempotency_key`; default none. */
  unique?: {
    /** The key, unique for each task type, 1–255 characters. */
    key: string;
    /** It joins the task under its key while that holds it; `debounce` replaces that one's payload. */
    mode: "throttle" | "debounce" | "queued" | "incomplete";
    /** For how long, in milliseconds; `throttle` and `debounce` need it. */
    window_ms?: number;
    /** How long a debounced task waits at most, in milliseconds; default ten windows. */
    max_wait_ms?: number;
  };
  /** Same key and same content give the same task; an empty key counts as none. */
  idempotency_key?: string;
  /** Executions allowed, 1–100; default 5. */
  max_attempts?: number;
  /** How failures are retried; default as the handler says, then the queue. Fields not given are at their defaults. */
  retry_policy?: {
    /** The delay after the first failure, 0 to 7 days in milliseconds; default 1000. */
    initial_delay_ms?: number;
    /** The factor from one failure to the next, 1–100; default 2. */
    multiplier?: number;
    /** The longest delay, 0 to 7 days in milliseconds; default 300000. */
    max_delay_ms?: number;
  };
  /** How long an attempt may take, in milliseconds; default as the handler says, then no limit. */
  timeout_ms?: number;
  /** Whose it is, such as a tenant, 1–200 characters; default none. */
  group?: string;
  /** Tasks with the same key run one at a time, in the order in which they were stored; 1–200 characters, default none. */
  ordering_key?: string;
  /** When one before it under its ordering key has failed for good: it runs all the same, or waits; default `continue`. */
  on_predecessor_failure?: "continue" | "hold";
  /** What it can be found by: at most 10, each of 1–100 characters; default none. */
  tags?: string[];
  /**
   * Not before these are final: task ids (numbers) and run ids (texts), in a batch also of its own, at most 1,000; default
   * none.
   */
  depends_on?: (number | string)[];
  /** When one of these fails or is cancelled: fail, be cancelled, or run; default `fail`. */
  on_parent_failure?: "fail" | "skip" | "run";
  /** Tells a URL when the task has ended; a worker must allow its host. Default none. */
  webhook?: {
    /** An http or https URL without user name and password, at most 2,000 characters. */
    url: string;
    /** Which ends to report; default all three. */
    events?: ("completed" | "failed" | "cancelled")[];
  };
}

/** A task to enqueue. */
export interface EnqueueRequest extends RunOptions {
  /** The task type; it need not have a handler where the server is. */
  type: string;
  /** The handler's input, a JSON value; default {}. */
  payload?: unknown;
  /** Only workers whose capabilities contain each pair may claim the task. */
  compatibility?: Record<string, unknown>;
  /** The caller's name for the run, unique; default a random UUID. */
  run_id?: string;
  /** Gives a new task to this worker at once, so that no other one can take it; default it waits for a claim. */
  lease_to?: {
    /** The worker's name. */
    worker_id: string;
    /** How long the lease lasts without renewal, in milliseconds; default 10000. */
    lease_duration_ms?: number;
  };
  /** Cancels a new task at once, so that no worker can begin it; default false. */
  cancelled?: boolean;
}

/** A task. Instants are ISO 8601 with `Z`. */
export interface ClientTask {
  /** The task id. */
  id: number;
  /** The run id. */
  run_id: string;
  /** The task type. */
  type: string;
  /** Lower runs first. */
  priority: number;
  /** The handler's input. */
  payload: unknown;
  /** Pairs that a worker's capabilities must contain. */
  compatibility: Record<string, unknown>;
  /** Where it is. */
  status: "queued" | "leased" | "completed" | "failed" | "cancelled";
  /** Executions started. */
  attempts: number;
  /** Executions allowed. */
  max_attempts: number;
  /** How many of its parents are not final yet. */
  waits_for: number;
  /** Not claimed before. */
  run_after_utc: string;
  /** When the lease ends. */
  lease_until_utc: string | null;
  /** When it was last claimed. */
  reserved_at_utc: string | null;
  /** When its latest execution started. */
  processing_started_utc: string | null;
  /** When it reached its final status. */
  finished_at_utc: string | null;
  /** When it was stored. */
  created_at_utc: string;
  /** When it last changed. */
  updated_at_utc: string;
  /** The worker that holds the lease, or held the last one. */
  locked_by: string | null;
  /** Counts its leases; who holds the lease presents it. */
  lease_token: number;
  /** How long an attempt may take, in milliseconds. */
  timeout_ms: number | null;
  /** Whose it is; `null` for none. */
  group: string | null;
  /** The key that makes it unique among the tasks of its type. */
  unique_key: string | null;
  /** The key under which its tasks run one at a time, in order; `null` for none. */
  ordering_key: string | null;
  /** What it does when one before it under its ordering key has failed; `null` for `continue`. */
  on_predecessor_failure: "continue" | "hold" | null;
  /** What it can be found by, in order. */
  tags: string[];
  /** Its place under its ordering key, where that is another task's, which it has replaced. */
  ordering_place: number | null;
  /** When it is cancelled by itself unless it has started; `null` for never. */
  expires_at: string | null;
  /** How its failures are retried; `null` for the handler's policy, then the queue's. */
  retry_policy: {
    /** The delay after the first failure, in milliseconds. */
    initial_delay_ms: number;
    /** The factor from one failure to the next. */
    multiplier: number;
    /** The longest delay, in milliseconds. */
    max_delay_ms: number;
  } | null;
  /** Its place in a distributed trace, a W3C `traceparent`. */
  trace_parent: string | null;
  /** Why it last failed or was cancelled. */
  error_message: string | null;
  /** The key that it was stored with. */
  idempotency_key: string | null;
  /** The value that the handler returned. */
  result: unknown;
  /** 0–100. */
  progress_percent: number | null;
  /** What the handler said about its progress. */
  progress_message: string | null;
}

/** A task that was enqueued. */
export interface EnqueuedTask extends ClientTask {
  /** False when another task stands for it. */
  created: boolean;
  /** A new task; the one under its idempotency key; the one under its unique key, unchanged or with the new payload. */
  outcome: "created" | "existing" | "joined" | "replaced";
}

/** Why a run is where it is. */
export interface ClientExplanation {
  /** The run id. */
  run_id: string;
  /** The task id. */
  task_id: number;
  /** Where it is. */
  status: ClientRunStatus;
  /** For programs. */
  reason: string;
  /** One sentence, for people. */
  summary: string;
  /** What the sentence says; its fields depend on the reason. */
  data: Record<string, unknown>;
}

/** A pause. */
export interface ClientPause {
  /** Since when. */
  at: string;
  /** Who paused. */
  by: string | null;
  /** Why. */
  reason: string | null;
  /** When it ends by itself; `null` when it is resumed. */
  until: string | null;
}

/** How often tasks start: never more than `limit` in any window of `period_ms`. */
export interface ClientRate {
  /** How many starts at most, 1–1,000,000. */
  limit: number;
  /** In how many milliseconds, 1 to 366 days. */
  period_ms: number;
  /** How many may start at once, 1 to `limit`; then `limit - burst + 1` start in each period. */
  burst: number;
}

/** A scope with a limit or a pause. */
export interface ClientLimit {
  /** The type of its tasks; `null` for all types. */
  type: string | null;
  /** Their group, `*` for each group by itself; `null` for all. */
  group: string | null;
  /** How many may run at the same time; `null` without a limit. */
  concurrency: number | null;
  /** How often they may start; `null` without a limit. */
  rate: ClientRate | null;
  /** When the rate allows the next start; `null` when one is allowed now, and for `*`. */
  next_start_at: string | null;
  /** How many starts a group has for each one of a group with weight 1; `null` for 1. */
  weight: number | null;
  /** When the limit was set. */
  set_at: string | null;
  /** Who set it. */
  set_by: string | null;
  /** Whether a program declared it. */
  is_declared: boolean;
  /** The pause; `null` when it is not paused. */
  paused: ClientPause | null;
  /** How many slots are held. */
  held: number;
  /** Who holds them: at most 20, the earliest first. */
  holders: {
    /** The task. */
    task_id: number;
    /** Its run id; `null` when it was deleted. */
    run_id: string | null;
    /** Its type. */
    type: string;
    /** The worker that has the lease. */
    worker_id: string;
    /** When the lease ends unless it is renewed. */
    lease_until: string;
    /** Whether it was cancelled and has yet to stop. */
    is_cancelled: boolean;
  }[];
  /** How many due tasks it holds back. */
  blocked: number;
}

/** A limit to set. */
export interface LimitRequest {
  /** Only tasks of this type; default all types. */
  readonly type?: string;
  /** Only tasks of this group, `*` for each group by itself; default all. */
  readonly group?: string;
  /** How many may run at the same time, 1–100,000; default no limit. */
  readonly concurrency?: number;
  /** How often they may start; default no limit. Without a burst it is what 100 ms of the rate would be, 1 to a tenth of it. */
  readonly rate?: Omit<ClientRate, "burst"> & Partial<Pick<ClientRate, "burst">>;
  /** Of a group: how many starts it has for each one of a group with weight 1, 0.01–100; default 1. */
  readonly weight?: number;
  /** Who does it; default the name of the token. */
  readonly by?: string;
}

/** A pause to begin. */
export interface PauseRequest {
  /** Only tasks of this type; default all types. */
  readonly type?: string;
  /** Only tasks of this group, `*` for each group by itself; default all. */
  readonly group?: string;
  /** Why. */
  readonly reason?: string;
  /** Who does it; default the name of the token. */
  readonly by?: string;
  /** When it ends by itself, in ISO 8601 with a zone; default when it is resumed. */
  readonly until?: string;
}

/** What is to be different of a queued task; what is not given stays. */
export interface UpdateRequest {
  /** Lower runs first, 1–1000. */
  readonly priority?: number;
  /** Not before this instant, in ISO 8601 with a zone. */
  readonly run_after?: string;
  /** How long from now until it is due, in milliseconds, instead of `run_after`; 0 is now. */
  readonly delay_ms?: number;
  /** Executions allowed, 1–100, and more than there were. */
  readonly max_attempts?: number;
  /** Whose it is; `null` for none. */
  readonly group?: string | null;
  /** When it is cancelled by itself if it has not started, in ISO 8601 with a zone; `null` for never. */
  readonly expires_at?: string | null;
  /** All its tags; `null` for none. */
  readonly tags?: readonly string[] | null;
  /** The `updated_at_utc` that was seen: if the task has changed since, nothing is done; default whatever it is. */
  readonly expect_updated_at?: string;
  /** Who does it; default the name of the token. */
  readonly by?: string;
}

/** Another payload for a task that no worker holds. */
export interface ReplaceRequest extends UpdateRequest {
  /** The new task's payload. */
  readonly payload: unknown;
  /** The new task's run id, unique; default a random UUID. */
  readonly run_id?: string;
}

/** One change for all tasks that match. */
export interface BulkRequestBody {
  /** What to do; `remove` needs the scope `admin`. */
  readonly action: "cancel" | "retry" | "remove" | "reschedule" | "set_priority";
  /** Which tasks; a task matches when all that is given is true of it. */
  readonly filter: {
    /** Of those that the action is for; default all of those. */
    readonly statuses?: readonly ClientTask["status"][];
    /** Only tasks of this type. */
    readonly type?: string;
    /** Only tasks of this group. */
    readonly group?: string;
    /** Only tasks with this tag. */
    readonly tag?: string;
    /** Only these, at most 10,000. */
    readonly ids?: readonly number[];
    /** Only those that were stored before, in ISO 8601 with a zone. */
    readonly created_before?: string;
    /** Only those that have ended before, in ISO 8601 with a zone. */
    readonly finished_before?: string;
    /** Only those whose last error has this text in it, in any case. */
    readonly error_contains?: string;
    /** Only those that have begun so many executions or more. */
    readonly attempts_min?: number;
    /** Only those with this id or a lower one; default all that there are at the beginning. */
    readonly up_to_id?: number;
  };
  /** Must be true for a filter without a field, which every task matches. */
  readonly all?: boolean;
  /** The priority that `set_priority` gives, 1–1000. */
  readonly priority?: number;
  /** When `reschedule` makes them due, in ISO 8601 with a zone. */
  readonly run_after?: string;
  /** The same from now on, in milliseconds; 0 is now. */
  readonly delay_ms?: number;
  /** Counts what matches, up to 10,000, and changes nothing; default false. */
  readonly dry_run?: boolean;
  /** The cursor of the answer before, for the rest. */
  readonly cursor?: string;
  /** After how long to answer with what is done so far, 0 to 30,000 ms; default 2000. */
  readonly budget_ms?: number;
  /** Who does it; default the name of the token. */
  readonly by?: string;
}

/** What a bulk request has done. */
export interface ClientBulkReport {
  /** How many tasks matched. */
  matched: number;
  /** How many of them are different now. */
  changed: number;
  /** Tasks were looked at up to this id. */
  done_up_to_id: number;
  /** The highest id when it began. */
  up_to_id: number;
  /** Give this for the rest; `null` when there is none. */
  cursor: string | null;
}

/** What to look for. */
export interface SearchQuery {
  /**
   * An id (`#7`), idempotency key, run id or its beginning (four characters or more), group, or tag; or a part of the payload's JSON, the
   * last error, the type or the worker, in any case of the letters A to Z. 1–200 characters.
   */
  readonly text: string;
  /** Only tasks with this status. */
  readonly status?: ClientTask["status"];
  /** Only tasks of this type. */
  readonly type?: string;
  /** Only tasks of this group. */
  readonly group?: string;
  /** Only tasks with this tag. */
  readonly tag?: string;
  /** Only those that were stored before, in ISO 8601 with a zone. */
  readonly created_before?: string;
  /** How many tasks at most, 1–500; default 50. */
  readonly limit?: number;
  /** The cursor of the answer before, to go on. */
  readonly cursor?: string;
  /** After how long to answer with what is found so far, 0 to 10,000 ms; default 50. */
  readonly budget_ms?: number;
}

/** What a search has found. */
export interface ClientSearchPage {
  /** First those that the text names, then those that have it in them, newest first. */
  tasks: ClientTask[];
  /** How many tasks were searched for the text, up to here. */
  searched: number;
  /** How many are left to be searched at most. */
  left_max: number;
  /** Give this to go on; `null` at the end. */
  cursor: string | null;
}

/** A line of a run's log. */
export interface ClientLogLine {
  /** When it was written. */
  at: string;
  /** How serious it is. */
  level: "debug" | "info" | "warn" | "error";
  /** The message. */
  message: string;
  /** Which execution wrote it. */
  attempt: number;
  /** A JSON value. */
  details?: unknown;
}

/** How far a run is. */
export interface ClientRunProgress {
  /** The run id. */
  run_id: string;
  /** Where it is. */
  status: ClientRunStatus;
  /** Executions started. */
  attempts: number;
  /** 0–100. */
  progress_percent: number | null;
  /** What the handler said about its progress. */
  progress_message: string | null;
  /** Why it last failed or was cancelled. */
  error_message: string | null;
}

/** What following a run tells. Give the id of the last event as `lastEventId` to go on after it. */
export type RunEvent =
  | { readonly event: "log"; readonly id: string; readonly data: ClientLogLine }
  | { readonly event: "status"; readonly id: string; readonly data: ClientRunProgress }
  | { readonly event: "complete"; readonly id: string; readonly data: ClientRun };

/** The body of every error. */
export interface ClientErrorBody {
  /** For people. */
  detail: string;
  /** For programs; `docs/http.md` lists them. */
  error_code: string;
  /** When it went wrong. */
  timestamp: string;
  /** The problems, field by field. */
  errors?: { field: string; message: string }[];
  /** Of a full queue: the memory that it would take, in bytes. */
  used_bytes?: number;
  /** Of a full queue: the memory that is allowed, in bytes. */
  mark_bytes?: number;
}
