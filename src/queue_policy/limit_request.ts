/**
 * Limits and pauses, checked, and what a change makes of what is stored. Both engines keep a scope's limit and pause in one row.
 */
import { checkArray, checkInstant, checkInteger, checkName } from "../domain/check.ts";
import { shownValue } from "../domain/shown_value.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import {
  type ChangedBy,
  type DeclaredLimit,
  FLOW_LIMITS,
  type FlowRecord,
  type Limit,
  type LimitScope,
  type PauseOptions,
  type RateLimit,
  scopeText,
} from "../queue/limits.ts";
import { checkBy, prepareBy } from "./changed_by.ts";
import { EACH_GROUP } from "./kept_fields.ts";
import { prepareRate, type Rate } from "./start_rate.ts";

const { concurrencyMax, weightMin, weightMax, reasonMaxLength, declaredMax } = FLOW_LIMITS;

/** Which row is a scope's; empty strings are for all types, and for no group. */
export interface ScopeKey {
  readonly type: string;
  readonly grp: string;
}

/** A scope's limit and pause in the forms of their columns; instants are milliseconds since 1970. */
export interface StoredLimit extends ScopeKey {
  readonly concurrency: number | null;
  readonly weight: number | null;
  /** The rate: all three, or none. */
  readonly rate_limit: number | null;
  readonly rate_period_ms: number | null;
  readonly rate_burst: number | null;
  readonly is_declared: boolean;
  readonly limit_at: number | null;
  readonly limit_by: string | null;
  readonly paused_at: number | null;
  readonly paused_by: string | null;
  readonly paused_reason: string | null;
  readonly paused_until: number | null;
}

/** The columns of a limit; all `null` without one. */
type LimitColumns = Pick<
  StoredLimit,
  "concurrency" | "weight" | "rate_limit" | "rate_period_ms" | "rate_burst"
>;

/** What a change of a limit says. */
export interface PreparedLimit {
  readonly key: ScopeKey;
  readonly limit: LimitColumns;
  readonly by: string | null;
  readonly isDeclared: boolean;
}

/** What a pause says. */
export interface PreparedPause {
  readonly key: ScopeKey;
  readonly by: string | null;
  readonly reason: string | null;
  readonly untilMs: number | null;
}

/** The row of a scope. @throws TypeError */
export function prepareScope(scope: LimitScope): ScopeKey {
  checkObject(scope, "scope", ["type", "group"]);
  const { type, group } = scope;
  const { typeMaxLength, groupMaxLength } = TASK_LIMITS;
  return {
    type: type === undefined ? "" : checkName(type, "task type", typeMaxLength),
    grp: group === undefined ? "" : checkName(group, "group", groupMaxLength),
  };
}

/** The row of a scope that is to be limited or paused: `*` stands for each group, and for no type. @throws TypeError */
function prepareHeld(scope: LimitScope): ScopeKey {
  const key = prepareScope(scope);
  if (key.type !== EACH_GROUP) return key;
  throw new TypeError(
    `Cannot use "${EACH_GROUP}" as type of a scope: leave the type out for all types together, ` +
      "or name each; only group may be *",
  );
}

/** Checks a limit. @throws TypeError, RangeError */
export function prepareLimit(
  scope: LimitScope,
  limit: Limit | null,
  options: ChangedBy = {},
): PreparedLimit {
  const key = limit === null ? prepareScope(scope) : prepareHeld(scope);
  return {
    key,
    limit: limit === null ? NO_LIMIT : limitOf(key, limit),
    by: prepareBy(options, "setLimit"),
    isDeclared: false,
  };
}

const NO_RATE = { rate_limit: null, rate_period_ms: null, rate_burst: null } as const;

const NO_LIMIT = { concurrency: null, weight: null, ...NO_RATE } as const;

const LIMIT_COLUMNS = Object.keys(NO_LIMIT) as readonly (keyof LimitColumns)[];

function limitOf(key: ScopeKey, limit: Limit): LimitColumns {
  checkObject(limit, "limit", ["concurrency", "rate", "weight"]);
  const { concurrency, rate, weight } = limit;
  if (concurrency === undefined && rate === undefined && weight === undefined) {
    throw new TypeError("Cannot use a limit without concurrency, rate and weight: give one");
  }
  if (weight !== undefined && key.grp === "") {
    throw new TypeError(`Cannot give ${scopeTextOf(key)} a weight: only groups take turns`);
  }
  return {
    concurrency: concurrency === undefined
      ? null
      : checkInteger(concurrency, "concurrency", 1, concurrencyMax),
    weight: weight === undefined ? null : checkWeight(weight),
    ...(rate === undefined ? NO_RATE : rateColumns(rate)),
  };
}

function rateColumns(given: RateLimit): Pick<StoredLimit, keyof typeof NO_RATE> {
  checkObject(given, "rate", ["limit", "periodMs", "burst"]);
  const { limit, periodMs, burst } = prepareRate(given);
  return { rate_limit: limit, rate_period_ms: periodMs, rate_burst: burst };
}

/** The rate of a row. */
export function rateOf(
  { rate_limit, rate_period_ms, rate_burst }: Pick<StoredLimit, keyof typeof NO_RATE>,
): Rate | null {
  if (rate_limit === null) return null;
  return { limit: rate_limit, periodMs: rate_period_ms!, burst: rate_burst! };
}

function checkWeight(weight: unknown): number {
  if (typeof weight === "number" && weight >= weightMin && weight <= weightMax) return weight;
  throw new RangeError(
    `Cannot use ${
      shownValue(weight)
    } as weight: a number from ${weightMin} to ${weightMax} is needed`,
  );
}

/** Checks the limits that a program declares. @throws TypeError, RangeError */
export function prepareDeclared(limits: readonly DeclaredLimit[]): PreparedLimit[] {
  checkArray(limits, "limits", "scopes with limits");
  checkInteger(limits.length, "number of limits", 0, declaredMax);
  const prepared = limits.map((each) => {
    checkObject(each, "declared limit", ["scope", "limit"]);
    const key = prepareHeld(each.scope);
    return { key, limit: limitOf(key, each.limit), by: null, isDeclared: true };
  });
  const names = new Set(prepared.map(({ key }) => JSON.stringify([key.type, key.grp])));
  if (names.size === prepared.length) return prepared;
  throw new TypeError("Cannot declare two limits for one scope");
}

/** Checks a pause; that its end lies in the future is checked when it is stored. @throws TypeError, RangeError */
export function preparePause(scope: LimitScope, options: PauseOptions = {}): PreparedPause {
  const key = prepareHeld(scope);
  checkObject(options, "options of a pause", ["reason", "by", "until"]);
  const { reason, until } = options;
  return {
    key,
    by: checkBy(options),
    reason: reason === undefined ? null : checkName(reason, "reason", reasonMaxLength),
    untilMs: until === undefined ? null : checkInstant(until, "until"),
  };
}

/** The scope to be resumed. @throws TypeError */
export function prepareResume(scope: LimitScope, options: ChangedBy = {}): ScopeKey {
  prepareBy(options, "resume");
  return prepareScope(scope);
}

/** A misspelled scope would be the whole queue. */
function checkObject(value: unknown, what: string, known: readonly string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(
      `Cannot use ${shownValue(value)} as ${what}: an object is needed`,
    );
  }
  for (const [name, given] of Object.entries(value)) {
    if (given === undefined || known.includes(name)) continue;
    throw new TypeError(
      `Cannot use ${JSON.stringify(name)} in ${what}: allowed are ${known.join(", ")}`,
    );
  }
}

// --- changes

/** What a change makes of a row: the row as it is to be, or `undefined` for none; and whether that is a change. */
export interface LimitChange {
  readonly row: StoredLimit | undefined;
  readonly isChange: boolean;
}

function noLimit({ type, grp }: ScopeKey): StoredLimit {
  return {
    type,
    grp,
    ...NO_LIMIT,
    is_declared: false,
    limit_at: null,
    limit_by: null,
    paused_at: null,
    paused_by: null,
    paused_reason: null,
    paused_until: null,
  };
}

const NOT_PAUSED = {
  paused_at: null,
  paused_by: null,
  paused_reason: null,
  paused_until: null,
} as const;

/** Whether the scope of a row is paused. */
export function isPausedAt({ paused_at, paused_until }: StoredLimit, nowMs: number): boolean {
  return paused_at !== null && (paused_until === null || paused_until > nowMs);
}

/** Sets or removes a limit. What a person has set is not changed by a program that declares it. */
export function withLimit(
  known: StoredLimit | undefined,
  { key, limit, by, isDeclared }: PreparedLimit,
  nowMs: number,
): LimitChange {
  const before = known ?? noLimit(key);
  const isSame = LIMIT_COLUMNS.every((name) => before[name] === limit[name]) &&
    before.is_declared === isDeclared;
  const isKept = isDeclared && hasLimit(before) && !before.is_declared;
  if (isSame || isKept) return { row: known, isChange: false };
  const set = hasLimit(limit)
    ? { is_declared: isDeclared, limit_at: nowMs, limit_by: by }
    : { is_declared: false, limit_at: null, limit_by: null };
  return { row: unlessEmpty({ ...before, ...limit, ...set }), isChange: true };
}

/** Pauses. @throws RangeError when the pause would be over at once. */
export function withPause(
  known: StoredLimit | undefined,
  { key, by, reason, untilMs }: PreparedPause,
  nowMs: number,
): LimitChange {
  if (untilMs !== null && untilMs <= nowMs) {
    throw new RangeError(
      `Cannot pause until ${new Date(untilMs).toISOString()}: an instant after ${
        new Date(nowMs).toISOString()
      } is needed`,
    );
  }
  const before = known ?? noLimit(key);
  const isPaused = isPausedAt(before, nowMs);
  const row = {
    ...before,
    paused_at: isPaused ? before.paused_at : nowMs,
    paused_by: by,
    paused_reason: reason,
    paused_until: untilMs,
  };
  const isSame = isPaused && before.paused_by === by && before.paused_reason === reason &&
    before.paused_until === untilMs;
  return isSame ? { row: known, isChange: false } : { row, isChange: true };
}

/** Resumes. A pause that has ended by itself is cleared, and that is no change. */
export function withoutPause(known: StoredLimit | undefined, nowMs: number): LimitChange {
  if (known === undefined || known.paused_at === null) return { row: known, isChange: false };
  const row = unlessEmpty({ ...known, ...NOT_PAUSED });
  return { row, isChange: isPausedAt(known, nowMs) };
}

function unlessEmpty(row: StoredLimit): StoredLimit | undefined {
  return !hasLimit(row) && row.paused_at === null ? undefined : row;
}

/** Whether there is a limit, and not only a pause. */
export function hasLimit(limit: LimitColumns): boolean {
  return LIMIT_COLUMNS.some((name) => limit[name] !== null);
}

// --- the forms that programs see

/** The scope of a row. */
export function scopeOf({ type, grp }: ScopeKey): LimitScope {
  return { ...(type === "" ? {} : { type }), ...(grp === "" ? {} : { group: grp }) };
}

/** How sentences call the scope of a row. */
export function scopeTextOf(key: ScopeKey): string {
  return scopeText(scopeOf(key));
}

/** A row as it travels, and as callers see it. */
export function flowRecordOf(row: StoredLimit, nowMs: number): FlowRecord {
  const { paused_at, paused_by, paused_reason, paused_until } = row;
  return {
    scope: scopeOf(row),
    concurrency: row.concurrency,
    rate: rateOf(row),
    weight: row.weight,
    setAt: dateOf(row.limit_at),
    setBy: row.limit_by,
    isDeclared: row.is_declared,
    paused: isPausedAt(row, nowMs)
      ? {
        at: new Date(paused_at!),
        by: paused_by,
        reason: paused_reason,
        until: dateOf(paused_until),
      }
      : null,
  };
}

/** The rows that have a limit, or a pause that holds, as they travel. */
export function flowRecordsOf(rows: readonly StoredLimit[], nowMs: number): FlowRecord[] {
  return rows.filter((row) => hasLimit(row) || isPausedAt(row, nowMs)).map((row) =>
    flowRecordOf(row, nowMs)
  );
}

/** Checks a record that travels. @throws TypeError, RangeError */
export function prepareFlowRecord(record: FlowRecord): StoredLimit {
  const { concurrency, rate, weight, setAt, setBy, isDeclared, paused } = record;
  const key = prepareScope(record.scope);
  const hasNone = concurrency === null && rate === null && weight === null;
  const limit = hasNone ? null : limitOf(key, {
    concurrency: concurrency ?? undefined,
    rate: rate ?? undefined,
    weight: weight ?? undefined,
  });
  if (typeof isDeclared !== "boolean") {
    throw new TypeError(
      `Cannot use ${shownValue(isDeclared)} as isDeclared: true or false is needed`,
    );
  }
  if (limit === null && paused === null) {
    throw new TypeError("Cannot use a record of a scope without a limit and without a pause");
  }
  return {
    ...noLimit(key),
    ...(limit ?? NO_LIMIT),
    is_declared: limit !== null && isDeclared,
    limit_at: limit === null ? null : checkInstant(setAt, "setAt"),
    limit_by: checkBy({ by: setBy ?? undefined }),
    ...(paused === null ? {} : {
      paused_at: checkInstant(paused.at, "paused.at"),
      paused_by: checkBy({ by: paused.by ?? undefined }),
      paused_reason: paused.reason === null
        ? null
        : checkName(paused.reason, "reason", reasonMaxLength),
      paused_until: paused.until === null ? null : checkInstant(paused.until, "paused.until"),
    }),
  };
}

function dateOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
