/**
 * Shrinking: leaves out steps of a script that fails, as long as it goes on failing in the same way.
 */
import type { Script, Step } from "./script.ts";
import { simulate } from "./simulation.ts";

/** A violation without its numbers: two scripts fail in the same way when these are equal. */
export function kindOf(violation: string): string {
  return violation.replaceAll(/\d+/g, "#").slice(0, 80);
}

/** The script with these steps only. */
export function keepSteps(script: Script, kept: readonly number[]): Script {
  return { ...script, steps: kept.map((index) => script.steps[index]).filter(isStep) };
}

/** The steps, by index, of the smallest failing script that was found before `isOver`. */
export async function shrink(script: Script, isOver: () => boolean): Promise<number[]> {
  const kind = kindOf((await simulate(script)).violations[0] ?? "");
  let kept = script.steps.map((_, index) => index);
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length;) {
      if (isOver()) return kept;
      const fewer = kept.toSpliced(at, size);
      const { violations } = await simulate(keepSteps(script, fewer));
      if (violations.some((violation) => kindOf(violation) === kind)) kept = fewer;
      else at += size;
    }
  }
  return kept;
}

/** Step numbers as ranges: `0-4,7`. */
export function formatSteps(steps: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const step of steps) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === step - 1) last[1] = step;
    else ranges.push([step, step]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(",");
}

/** The step numbers that ranges stand for. @throws TypeError */
export function parseSteps(text: string): number[] {
  return text.split(",").flatMap((range) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (match === null) throw new TypeError(`Cannot read ${JSON.stringify(range)} as steps`);
    const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

function isStep(step: Step | undefined): step is Step {
  return step !== undefined;
}
