/**
 * Durations for people.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A duration in one or two units: `840 ms`, `12.3 s`, `3 min 20 s`, `5 h 3 min`, `4 days`. */
export function durationText(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${Number((Math.floor(ms / 100) / 10).toFixed(1))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${Math.floor(ms % MINUTE / SECOND)} s`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor(ms % HOUR / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} days`;
}
