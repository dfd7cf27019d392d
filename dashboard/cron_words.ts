/**
 * When a schedule fires, in words. An expression that has no short words is shown as it is, with its next instants beside it.
 */
import { nextInstant, type Schedule } from "../src/core.ts";
import { duration } from "./text.ts";

const DAYS = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
  "Sunday",
];

const NAMED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** The words for a schedule, such as `every day at 06:30`. */
export function scheduleWords({ cron, everyMs, timeZone }: Schedule): string {
  if (cron === null) return `${duration(everyMs)} after its last task has ended`;
  const words = cronWords(cron);
  return timeZone === "UTC" ? words : `${words} (${timeZone})`;
}

function cronWords(cron: string): string {
  const fields = (NAMED[cron.trim().toLowerCase()] ?? cron.trim()).split(/\s+/);
  if (fields.length !== 5) return cron;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const when = dayWords(day, month, weekday);
  const time = timeWords(minute, hour);
  if (when === undefined || time === undefined) return cron;
  return time.startsWith("at")
    ? `${when} ${time}`
    : when === "every day"
    ? time
    : `${time}, ${when}`;
}

function timeWords(minute: string, hour: string): string | undefined {
  if (hour === "*") {
    if (minute === "*") return "every minute";
    const step = /^\*\/(\d+)$/.exec(minute)?.[1];
    if (step !== undefined) return `every ${step} minutes`;
    return /^\d+$/.test(minute) ? `every hour at minute ${minute}` : undefined;
  }
  const step = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (step !== undefined && /^\d+$/.test(minute)) return `every ${step} hours at minute ${minute}`;
  if (!/^\d+$/.test(minute) || !/^\d+$/.test(hour)) return undefined;
  return `at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
}

function dayWords(day: string, month: string, weekday: string): string | undefined {
  if (month !== "*") return undefined;
  if (day === "*" && weekday === "*") return "every day";
  if (day === "*" && /^(1-5|mon-fri)$/i.test(weekday)) return "Monday to Friday";
  if (day === "*" && /^[0-7]$/.test(weekday)) return `every ${DAYS[Number(weekday)]}`;
  if (weekday === "*" && /^\d+$/.test(day)) return `on day ${day} of every month`;
  return undefined;
}

/** The next instants of a schedule, five at most; none while it is paused or waits for a task. */
export function nextInstants(schedule: Schedule, nowMs: number): Date[] {
  const { cron, timeZone, paused, nextAt } = schedule;
  if (paused) return [];
  if (cron === null) return nextAt === null ? [] : [nextAt];
  const found: Date[] = [];
  for (let atMs: number | null = nowMs; found.length < 5;) {
    atMs = nextInstant({ cron, timeZone }, atMs);
    if (atMs === null) break;
    found.push(new Date(atMs));
  }
  return found;
}
