/**
 * Tables without borders: columns beside each other, as wide as their content, cut where the terminal is narrower.
 */
import { cutText, padText, textWidth } from "./text_width.ts";

const GAP = "  ";

/** A cut column keeps this many columns of the terminal, as long as it can. */
const MIN_WIDTHS = [4, 1];

/** How a table is written. */
export interface TableOptions {
  /** How many columns the terminal has; default unlimited. */
  readonly width?: number;
  /** The heads of columns that are never cut; default none. */
  readonly whole?: readonly string[];
  /** Writes a cell of the column with this head, for colours; must not change what is visible. Default as it is. */
  readonly paint?: (cell: string, head: string) => string;
  /** Writes the head; default as it is. */
  readonly paintHead?: (cell: string) => string;
}

/** A table with a head; cells must have no control characters. */
export function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { width = Infinity, paint = (cell) => cell, paintHead = (cell) => cell } = options;
  const isWhole = head.map((name) => options.whole?.includes(name) ?? false);
  const widths = fittingWidths([head, ...rows], width, isWhole);
  const line = (cells: readonly string[], write: (cell: string, head: string) => string): string =>
    cells.map((cell, index) => {
      const fitting = cutText(cell, widths[index]!);
      const padding = index === cells.length - 1 ? "" : padText(fitting, widths[index]!);
      return write(fitting, head[index]!) + padding.slice(fitting.length);
    }).join(GAP);
  return [line(head, paintHead), ...rows.map((row) => line(row, paint))].join("\n");
}

/** The widest column gives way first, so short ones stay whole. */
function fittingWidths(
  rows: readonly (readonly string[])[],
  width: number,
  isWhole: readonly boolean[],
): number[] {
  const widths = rows[0]!.map((_, index) =>
    Math.min(width, Math.max(...rows.map((row) => textWidth(row[index]!))))
  );
  let excess = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1)) - width;
  for (const minWidth of MIN_WIDTHS) {
    for (; excess > 0; excess--) {
      const widest = Math.max(...widths.filter((_, index) => !isWhole[index]));
      if (widest <= minWidth) break;
      widths[widths.findIndex((each, index) => each === widest && !isWhole[index])]!--;
    }
  }
  return widths;
}
