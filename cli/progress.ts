/**
 * Progress on standard error: a bar on a terminal, plain lines anywhere else.
 */
import { SingleBar } from "cli-progress";
import type { CliIo } from "./io.ts";

/** Where progress is shown. */
export type ProgressOutput = Pick<CliIo, "writeErr" | "errIsTerminal">;

/** What is counted. */
export interface ProgressOptions {
  /** The value at the end, above 0. */
  readonly total: number;
  /** What is counted, shown after the numbers. */
  readonly unit: string;
}

/** Shows how far something is. */
export interface Progress {
  /** Shows `value` of the total, with a note. */
  update(value: number, note?: string): void;
  /** Writes a line that stays. */
  line(text: string): void;
  /** Ends it; a bar disappears. */
  stop(): void;
}

/** The part of cli-progress that is used; the package has no types of its own. */
interface Bar {
  start(total: number, value: number, fields: { readonly note: string }): void;
  update(value: number, fields: { readonly note: string }): void;
  stop(): void;
}

/** A line is written whenever another tenth is reached. */
const PLAIN_STEPS = 10;

/** Starts to show progress. */
export function startProgress(output: ProgressOutput, options: ProgressOptions): Progress {
  return output.errIsTerminal ? startBar(output, options) : startLines(output, options);
}

/** The bar remembers where the cursor was when it began, so it must not be there while a line is written. */
function startBar(output: ProgressOutput, { total, unit }: ProgressOptions): Progress {
  const bar: Bar = new SingleBar({
    format: `{bar} {value}/{total} ${unit} {note}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    // not process.stderr, whose writes could overtake, or be overtaken by, other lines
    stream: { isTTY: true, write: (text: string) => output.writeErr(text) },
  });
  let [value, note] = [0, ""];
  bar.start(total, value, { note });
  return {
    update(newValue, newNote = ""): void {
      [value, note] = [newValue, newNote];
      bar.update(value, { note });
    },
    line(text): void {
      bar.stop();
      output.writeErr(`${text}\n`);
      bar.start(total, value, { note });
    },
    stop: () => bar.stop(),
  };
}

function startLines(output: ProgressOutput, options: ProgressOptions): Progress {
  let shownStep = -1;
  return {
    update(value, note): void {
      const step = Math.floor(value / options.total * PLAIN_STEPS);
      if (step === shownStep) return;
      shownStep = step;
      const numbers = `${value}/${options.total} ${options.unit}`;
      output.writeErr(note === undefined ? `${numbers}\n` : `${numbers} ${note}\n`);
    },
    line: (text) => output.writeErr(`${text}\n`),
    stop: () => {},
  };
}

/** How often the time that has passed is shown anew, in milliseconds. */
const TICK_MS = 200;

const START_OF_LINE = "\r";
const CLEAR_LINE = "\u001b[K";

/**
 * Does work that takes an unknown time: meanwhile a terminal shows `label` and the seconds that have passed,
 * and nothing of it stays. Anywhere else nothing is written.
 */
export async function showingWork<T>(
  output: ProgressOutput,
  label: string,
  work: () => Promise<T>,
): Promise<T> {
  if (!output.errIsTerminal) return await work();
  const startedAtMs = performance.now();
  const show = (): void => {
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    output.writeErr(`${START_OF_LINE}${label} … ${seconds} s${CLEAR_LINE}`);
  };
  show();
  const ticking = setInterval(show, TICK_MS);
  try {
    return await work();
  } finally {
    clearInterval(ticking);
    output.writeErr(`${START_OF_LINE}${CLEAR_LINE}`);
  }
}
