/**
 * Cron expressions in a time zone: when they come next, and when they came last.
 *
 * In the hour that a clock is put back to, an expression with fixed hours comes once, one that comes in every hour goes on
 * in real time. An instant that a clock skips is taken at the first one after the gap.
 */
import { Cron } from "croner";
import { messageOf } from "../domain/errors.ts";
import { shownValue } from "../domain/shown_value.ts";

/** A cron expression and where its clock stands. */
export interface CronTime {
  /** Five fields (minute, hour, day of the month, month, day of the week), six with seconds first, or `@daily` and the like. */
  readonly cron: string;
  /** A name of the IANA time zone database. */
  readonly timeZone: string;
}

/** Expressions are kept read, up to this many. */
const CACHE_MAX = 1000;

const cache = new Map<string, Cron>();

/** Checks an expression and its time zone. @throws TypeError */
export function checkCron({ cron, timeZone }: CronTime): void {
  checkTimeZone(timeZone);
  if (typeof cron !== "string" || !/^@\w+$|\s/.test(cron.trim())) throw noCron(cron, "");
  cronOf({ cron, timeZone });
}

/** The first instant after `afterMs`; `null` when there is none. @throws TypeError when this process cannot read it. */
export function nextInstant(time: CronTime, afterMs: number): number | null {
  const next = cronOf(time).nextRun(new Date(afterMs))?.getTime() ?? null;
  return next !== null && next > afterMs ? next : null;
}

/** The last `count` instants before `beforeMs`, the earliest first. @throws TypeError when this process cannot read it. */
export function instantsBefore(time: CronTime, beforeMs: number, count: number): number[] {
  return cronOf(time).previousRuns(count, new Date(beforeMs)).map((at) => at.getTime())
    .filter((atMs) => atMs < beforeMs).reverse();
}

function cronOf({ cron, timeZone }: CronTime): Cron {
  const key = `${timeZone} ${cron}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  checkTimeZone(timeZone);
  const read = readCron({ cron, timeZone });
  if (cache.size >= CACHE_MAX) cache.clear();
  cache.set(key, read);
  return read;
}

function readCron({ cron, timeZone }: CronTime): Cron {
  try {
    return new Cron(cron, { timezone: timeZone, paused: true });
  } catch (error) {
    throw noCron(cron, ` (${messageOf(error).replace(/\.$/, "")})`);
  }
}

function checkTimeZone(timeZone: unknown): void {
  if (typeof timeZone === "string" && isTimeZone(timeZone)) return;
  throw new TypeError(
    `Cannot use ${
      shownValue(timeZone)
    } as timeZone: a name of the IANA time zone database such as Europe/Berlin is needed`,
  );
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function noCron(cron: unknown, reason: string): TypeError {
  return new TypeError(
    `Cannot use ${
      shownValue(cron)
    } as cron: five fields such as "30 2 * * 1-5", six with seconds first, or a name such as @daily are needed${reason}`,
  );
}
