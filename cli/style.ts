/**
 * Colours: on a terminal only, and as `NO_COLOR` and `FORCE_COLOR` say. Without colour every text stays as it is.
 */

/** Ways to write a string. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const CODES: Readonly<Record<keyof Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** Leaves every text as it is. */
export const PLAIN: Style = styleOf(false);

/** Writes in colour. */
export const COLOURED: Style = styleOf(true);

/** What to write with: `NO_COLOR` takes precedence over `FORCE_COLOR`, and both over what the stream is. */
export function chooseStyle(
  isTerminal: boolean,
  environment: (name: string) => string | undefined,
): Style {
  if (isSet(environment("NO_COLOR"))) return PLAIN;
  const forced = environment("FORCE_COLOR");
  if (isSet(forced)) return forced === "0" || forced === "false" ? PLAIN : COLOURED;
  return isTerminal && environment("TERM") !== "dumb" ? COLOURED : PLAIN;
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}

function styleOf(isColoured: boolean): Style {
  const wrap = (name: keyof Style) => (text: string): string => {
    const [on, off] = CODES[name];
    return isColoured && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  };
  return Object.freeze({
    bold: wrap("bold"),
    dim: wrap("dim"),
    red: wrap("red"),
    green: wrap("green"),
    yellow: wrap("yellow"),
    cyan: wrap("cyan"),
  });
}

/** The colour of a status, a verdict, a worker's state or a kind of transition; others stay as they are. */
export function statusStyle(style: Style, status: string): (text: string) => string {
  if (["completed", "healthy", "active"].includes(status)) return style.green;
  if (["failed", "unhealthy", "stale", "error"].includes(status)) return style.red;
  if (["retried", "rescued", "expired", "degraded", "limbo", "warn"].includes(status)) {
    return style.yellow;
  }
  if (status === "leased") return style.cyan;
  return status === "cancelled" ? style.dim : (text) => text;
}
