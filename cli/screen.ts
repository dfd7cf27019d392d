/**
 * A screen that is drawn again and again, on the terminal's second page, so that what was there before comes back.
 */
import type { CliIo } from "./io.ts";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** The whole terminal. */
export interface Screen {
  /** Shows these lines, as many as the terminal has room for; colours are in `text` already. */
  show(lines: readonly string[]): void;
  /** Brings back the cursor and what was there before; harmless when that was done. */
  close(): void;
}

/** Takes the terminal on standard output. Close it whatever happens. */
export function openScreen(io: CliIo): Screen {
  let isOpen = true;
  io.writeOut(ENTER);
  return {
    show(lines): void {
      if (!isOpen) return;
      const shown = lines.slice(0, io.outRows() - 1).map((line) => `${line}${CLEAR_LINE}`);
      io.writeOut(`${HOME}${shown.join("\r\n")}\r\n${CLEAR_BELOW}`);
    },
    close(): void {
      if (isOpen) io.writeOut(LEAVE);
      isOpen = false;
    },
  };
}
