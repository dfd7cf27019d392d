/**
 * How far an import or an export is, where a terminal shows it; anywhere else nothing is written.
 */
import type { TransferProgress } from "../src/mod.ts";
import { type Progress, type ProgressOutput, startProgress } from "./progress.ts";

const LABELS: Readonly<Record<TransferProgress["phase"], string>> = Object.freeze({
  read: "read",
  store: "stored",
  verify: "verified",
  write: "written",
});

/** Does `work`, each phase of which has a bar. */
export async function showingPhases<T>(
  output: ProgressOutput,
  work: (onProgress: (progress: TransferProgress) => void) => Promise<T>,
): Promise<T> {
  let bar: Progress | undefined;
  let shown: TransferProgress["phase"] | undefined;
  const show = ({ phase, done, total }: TransferProgress): void => {
    if (!output.errIsTerminal || total === 0) return;
    if (phase !== shown) {
      bar?.stop();
      bar = startProgress(output, { total, unit: `tasks ${LABELS[phase]}` });
      shown = phase;
    }
    bar?.update(done);
  };
  try {
    return await work(show);
  } finally {
    bar?.stop();
  }
}
