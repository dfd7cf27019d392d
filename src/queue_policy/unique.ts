/**
 * Unique tasks: a checked `unique`, and which task of a batch stands for which.
 */
import { checkInteger, checkName, checkOneOf } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { hasExpiredBy } from "../domain/readiness.ts";
import { isFinal, type NewTask } from "../domain/task.ts";
import { type Unique, UNIQUE_LIMITS, UNIQUE_MODES, type UniqueMode } from "../domain/unique.ts";
import type { BatchParent, StoredParent } from "./cycle.ts";

/** A checked `Unique`. */
export interface PreparedUnique {
  readonly key: string;
  readonly mode: UniqueMode;
  /** 0 without a window. */
  readonly windowMs: number;
  /** 0 without one. */
  readonly maxWaitMs: number;
}

const OPTIONS = optionNames<Unique>({ key: true, mode: true, windowMs: true, maxWaitMs: true });

/** How much longer than its window a debounced task waits at most, where nothing is said. */
const MAX_WAIT_WINDOWS = 10;

/** What a new task cannot have beside `unique`, and beside the mode `debounce`. */
const OBSTACLES: Readonly<Partial<Record<keyof NewTask, string>>> = {
  idempotencyKey: "a task under a known key must be the same, a unique one takes its place",
};
const OBSTACLES_OF_DEBOUNCE: Readonly<Partial<Record<keyof NewTask, string>>> = {
  dependsOn: "a debounced task waits for its window alone",
  runAfter: "a debounced task is due after its window",
};

/** Checks what makes a task unique, before any effect. @throws TypeError, RangeError */
export function prepareUnique(task: NewTask): PreparedUnique | null {
  const { unique } = task;
  if (unique === undefined || unique === null) return null;
  checkOptions(unique, OPTIONS, "unique");
  const { windowMaxMs } = UNIQUE_LIMITS;
  const key = checkName(unique.key, "unique key", UNIQUE_LIMITS.keyMaxLength);
  const mode = checkOneOf(unique.mode, UNIQUE_MODES, "mode of unique");
  checkObstacles(task, "unique", OBSTACLES);
  if (mode === "debounce") checkObstacles(task, "debounce", OBSTACLES_OF_DEBOUNCE);
  const hasWindow = mode === "throttle" || mode === "debounce";
  const windowMs = hasWindow ? checkInteger(unique.windowMs, "windowMs", 1, windowMaxMs) : 0;
  if (!hasWindow) refuse("windowMs", mode, unique.windowMs);
  if (mode !== "debounce") refuse("maxWaitMs", mode, unique.maxWaitMs);
  const maxWaitMs = mode === "debounce"
    ? checkInteger(
      unique.maxWaitMs ?? Math.min(windowMaxMs, MAX_WAIT_WINDOWS * windowMs),
      "maxWaitMs",
      windowMs,
      windowMaxMs,
    )
    : 0;
  return { key, mode, windowMs, maxWaitMs };
}

function checkObstacles(
  task: NewTask,
  what: string,
  obstacles: Readonly<Partial<Record<keyof NewTask, string>>>,
): void {
  for (const [name, reason] of Object.entries(obstacles)) {
    const value = task[name as keyof NewTask];
    const isGiven = Array.isArray(value) ? value.length > 0 : Boolean(value);
    if (isGiven) throw new TypeError(`Cannot use ${what} together with ${name}: ${reason}`);
  }
}

function refuse(name: string, mode: UniqueMode, value: unknown): void {
  if (value === undefined || value === null) return;
  throw new TypeError(`Cannot use ${name} with the mode ${mode} of unique: it has no window`);
}

/** `unique` as a caller gave it. */
export function uniqueOf({ key, mode, windowMs, maxWaitMs }: PreparedUnique): Unique {
  return {
    key,
    mode,
    ...(windowMs > 0 ? { windowMs } : {}),
    ...(maxWaitMs > 0 ? { maxWaitMs } : {}),
  };
}

/** The latest task of a type under a key, as far as the next one is compared with it. */
export interface UniqueHolder extends StoredParent {
  readonly hasStarted: boolean;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

/** A new task that another one stands for. */
export interface Joined {
  /** The one that stands for it: a task that is there, or a new one before it in the batch. */
  readonly place: BatchParent;
  /** When that one is due, if it is to take over the payload; `null` when it stays as it is. */
  readonly dueAtMs: number | null;
}

/** What is needed of a new task. */
export interface UniqueTask {
  readonly kept: { readonly type: string; readonly expires_at: number | null };
  readonly unique: PreparedUnique | null;
  readonly isCancelled: boolean;
  readonly leaseTo: unknown;
}

/** Which of a batch's tasks join another; `undefined` for one that is new as far as `unique` goes. */
export function findJoined(
  tasks: readonly UniqueTask[],
  find: (type: string, key: string) => UniqueHolder | undefined,
  nowMs: number,
): readonly (Joined | undefined)[] {
  const holders = new Map<string, { holder: UniqueHolder; place: BatchParent } | undefined>();
  return tasks.map((task, index) => {
    if (task.unique === null) return undefined;
    const name = nameOf(task.kept.type, task.unique.key);
    if (!holders.has(name)) {
      const holder = find(task.kept.type, task.unique.key);
      holders.set(name, holder && { holder, place: holder });
    }
    const known = holders.get(name);
    if (known !== undefined && isJoined(task.unique, known.holder, nowMs)) {
      return { place: known.place, dueAtMs: dueAtOf(task.unique, known.holder, nowMs) };
    }
    holders.set(name, { holder: holderOfNew(task, nowMs), place: { index } });
    return undefined;
  });
}

/** One name for a type and a key. */
export function nameOf(type: string, key: string): string {
  return JSON.stringify([type, key]);
}

function holderOfNew({ kept, isCancelled, leaseTo }: UniqueTask, nowMs: number): UniqueHolder {
  const status = isCancelled ? "cancelled" : leaseTo === null ? "queued" : "leased";
  const hasStarted = leaseTo !== null;
  return {
    ...{ id: 0, runId: "", status, hasStarted },
    createdAtMs: nowMs,
    expiresAtMs: kept.expires_at,
  };
}

function isJoined(
  { mode, windowMs }: PreparedUnique,
  holder: UniqueHolder,
  nowMs: number,
): boolean {
  // a holder that has expired is about to be cancelled by itself: what joined it would be lost
  const isLost = !holder.hasStarted && hasExpiredBy(holder.expiresAtMs, nowMs);
  const isOpen = !isFinal(holder.status) && !isLost;
  switch (mode) {
    case "throttle":
      // a clock that was set back makes nobody wait longer than the window
      return Math.abs(nowMs - holder.createdAtMs) < windowMs;
    case "debounce":
    case "queued":
      return isOpen && !holder.hasStarted;
    case "incomplete":
      return isOpen;
  }
}

/** When a new task is due that is debounced; nothing for any other. */
export function firstDueOf(
  { unique }: Pick<UniqueTask, "unique">,
  nowMs: number,
): { readonly runAfterMs?: number } {
  const dueAtMs = unique === null ? null : dueAtOf(unique, { createdAtMs: nowMs }, nowMs);
  return dueAtMs === null ? {} : { runAfterMs: dueAtMs };
}

/** When a debounced task is due: after its window, and never later than it may wait. */
function dueAtOf(
  { mode, windowMs, maxWaitMs }: PreparedUnique,
  { createdAtMs }: Pick<UniqueHolder, "createdAtMs">,
  nowMs: number,
): number | null {
  if (mode !== "debounce") return null;
  return Math.max(nowMs, Math.min(nowMs + windowMs, createdAtMs + maxWaitMs));
}

/** A debounced task is written again only for another content, or to be due at a time that differs by at least this. */
const MOVE_MIN_MS = 1000;

/** What a debounced task takes over. */
export interface DebouncedContent {
  /** JSON. */
  readonly payload: string;
  readonly runAfterMs: number;
  readonly expiresAtMs: number | null;
}

/** What a debounced task takes over from the one that joins it; `undefined` when that is not worth a write. */
export function takenOver(
  held: DebouncedContent,
  wanted: Omit<DebouncedContent, "runAfterMs"> & { readonly dueAtMs: number },
): DebouncedContent | undefined {
  const expiresAtMs = wanted.expiresAtMs ?? held.expiresAtMs;
  const isSame = held.payload === wanted.payload && held.expiresAtMs === expiresAtMs &&
    Math.abs(held.runAfterMs - wanted.dueAtMs) < MOVE_MIN_MS;
  return isSame ? undefined : { payload: wanted.payload, runAfterMs: wanted.dueAtMs, expiresAtMs };
}
