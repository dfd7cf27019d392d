/**
 * Tables without borders: columns beside each other, as wide as their content, cut where the terminal is narrower.
 */
import { cutText, padText, textWidth } from "./text_width.ts";

const GAP = "  ";

/** A cut column keeps this many columns of the terminal. */
const MIN_WIDTH = 4;

/** How a table is written. */
export interface TableOptions {
  /** How many columns the terminal has; default unlimited. */
  readonly width?: number;
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
  const widths = fittingWidths([head, ...rows], width);
  const line = (cells: readonly string[], write: (cell: string, head: string) => string): string =>
    cells.map((cell, index) => {
      const fitting = cutText(cell, widths[index]!);
      const padding = index === cells.length - 1 ? "" : padText(fitting, widths[index]!);
      return write(fitting, head[index]!) + padding.slice(fitting.length);
    }).join(GAP);
  return [line(head, paintHead), ...rows.map((row) => line(row, paint))].join("\n");
}

/** The widest column gives way first, so short ones stay whole. */
function fittingWidths(rows: readonly (readonly string[])[], width: number): number[] {
  const widths = rows[0]!.map((_, index) =>
    Math.min(width, Math.max(...rows.map((row) => textWidth(row[index]!))))
  );
  let excess = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1)) - width;
  for (; excess > 0; excess--) {
    const widest = Math.max(...widths);
    if (widest <= MIN_WIDTH) break;
    widths[widths.indexOf(widest)]!--;
  }
  return widths;
}
