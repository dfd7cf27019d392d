/**
 * How far a move is: what it waits for, and how much was copied and compared; a bar on a terminal, plain lines anywhere else.
 */
import type { MoveProgress } from "../src/mod.ts";
import { type Progress, type ProgressOutput, startProgress } from "./progress.ts";
import { printable } from "./task_text.ts";

type Counted = Exclude<MoveProgress, { readonly phase: "wait" }>;
type Waiting = Extract<MoveProgress, { readonly phase: "wait" }>;

const UNITS: Readonly<Record<Counted["phase"], string>> = Object.freeze({
  tasks: "tasks copied",
  transitions: "transitions copied",
  verify: "tasks compared",
});

/** Transitions are not counted before, so a line tells of each that many. */
const TOLD_EACH = 100_000;

/** Does `work`, and shows how far it is. */
export async function showingMove<T>(
  output: ProgressOutput,
  work: (onProgress: (progress: MoveProgress) => void) => Promise<T>,
): Promise<T> {
  const shown = new ShownMove(output);
  try {
    return await work((progress) => shown.show(progress));
  } finally {
    shown.stop();
  }
}

class ShownMove {
  readonly #output: ProgressOutput;
  #bar: Progress | undefined;
  #phase: MoveProgress["phase"] | undefined;
  #waitingFor = "";
  #told = 0;

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  show(progress: MoveProgress): void {
    if (progress.phase === "wait") return this.#showWaiting(progress);
    const { phase, done, total } = progress;
    if (phase !== this.#phase) {
      this.stop();
      this.#phase = phase;
      this.#told = 0;
      if (total !== null && total > 0) {
        this.#bar = startProgress(this.#output, { total, unit: UNITS[phase] });
      }
    }
    if (total !== null) return this.#bar?.update(Math.min(done, total));
    if (done < this.#told + TOLD_EACH) return;
    this.#told = done;
    this.#output.writeErr(`${done} ${UNITS[phase]}\n`);
  }

  /** What holds it up is told when it changes. */
  #showWaiting({ leased, held }: Waiting): void {
    const named = held.map(({ taskId, type, worker }) =>
      `task ${taskId} ${printable(type)} by ${printable(worker)}`
    );
    const more = leased > held.length ? ` and ${leased - held.length} more` : "";
    const text = `closed; waiting for ${leased} leased: ${named.join(", ")}${more}\n`;
    if (text === this.#waitingFor) return;
    this.#waitingFor = text;
    this.#output.writeErr(text);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
