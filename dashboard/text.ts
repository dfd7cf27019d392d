/**
 * Values as text for people. What a reader could not see, or what would rearrange the line, is written as its code: nothing in a
 * task can make a page show other than what it holds.
 */

/** Control characters, what reverses the direction of a line or has no width, lone surrogates, and line separators. */
const UNSEEN = /(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text with every character visible, as JSON would escape it. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (found) => found.split("").map(escaped).join(""));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The same, cut after `length` characters. */
export function short(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return visible(cut);
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

/** A duration, such as `1.5 s` or `3 min`. */
export function duration(ms: number | null): string {
  if (ms === null) return "–";
  const size = Math.abs(ms);
  for (const [unit, unitMs] of UNITS) {
    if (size >= unitMs) return `${rounded(size / unitMs)} ${unit}`;
  }
  return `${Math.round(size)} ms`;
}

function rounded(n: number): string {
  return n < 10 ? String(Math.round(n * 10) / 10) : String(Math.round(n));
}

/** How far an instant is from now, such as `3 min ago` or `in 2 h`. */
export function relative(at: Date, nowMs: number): string {
  const ms = at.getTime() - nowMs;
  if (Math.abs(ms) < 1000) return "now";
  return ms < 0 ? `${duration(ms)} ago` : `in ${duration(ms)}`;
}

/** A number with its thousands apart. */
export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A size, such as `1.5 MiB`. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let size = n;
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${rounded(size)} ${units[unit]}`;
}

/** A share, such as `2.5 %`. */
export function share(part: number | null): string {
  return part === null ? "–" : `${rounded(part * 100)} %`;
}
