/**
 * The reach: what the project promises itself, and what this run found of it.
 */
import type { Figure } from "./figures.ts";
import { median, type Percentiles } from "./figures.ts";
import { APPEND_NAME } from "./contenders/append.ts";
import { REACH_WORK } from "./reach_work.ts";
import { number, YARDSTICK } from "./figures.ts";

/** How a figure came out. */
export type Verdict = "aim reached" | "reached" | "missed" | "not measured";

/** One line of the reach. */
export interface Reached {
  readonly figure: string;
  readonly atLeast: string;
  readonly aim: string;
  readonly measured: string;
  readonly verdict: Verdict;
}

/** A goal: a number that should be large, or small. */
interface Goal {
  readonly figure: string;
  readonly isBetter: "larger" | "smaller";
  readonly atLeast: number;
  readonly aim: number;
  /** What stands behind the numbers. */
  readonly unit: string;
  /** `undefined` when this run did not measure it. */
  readonly measure: (find: Finder) => number | undefined;
}

const FULL = "Holdfast, full";

/** Every goal. */
const GOALS: readonly Goal[] = [
  speedup("sequential awaited enqueue", [REACH_WORK.enqueueOne, REACH_WORK.enqueueOne], [0.9, 1.2]),
  speedup("64 callers, against one caller of", [
    REACH_WORK.enqueueMany,
    REACH_WORK.enqueueOne,
  ], [6, 10]),
  speedup("claim + complete, one at a time", [REACH_WORK.claimOne, REACH_WORK.claimOne], [
    0.9,
    1.2,
  ]),
  speedup("claim + complete, concurrency 32", [REACH_WORK.claimMany, REACH_WORK.claimMany], [3, 5]),
  {
    figure: `sequential awaited enqueue, its time against ${APPEND_NAME}`,
    isBetter: "smaller",
    atLeast: 1.8,
    aim: 1.3,
    unit: "×",
    measure: (find) =>
      ratio(
        find.perSecond(REACH_WORK.enqueueOne, APPEND_NAME),
        find.perSecond(REACH_WORK.enqueueOne),
      ),
  },
  rate("batches of 1,000", REACH_WORK.enqueueBatch, [60_000, 100_000]),
  rate("one worker process, handlers that do nothing", REACH_WORK.processes(1), [15_000, 25_000]),
  {
    figure: "3 worker processes vs 1, total tasks/s",
    isBetter: "larger",
    atLeast: 1,
    aim: 1.4,
    unit: "×",
    measure: (find) =>
      ratio(find.perSecond(REACH_WORK.processes(3)), find.perSecond(REACH_WORK.processes(1))),
  },
  {
    figure: "claim p95 at the most queued vs at 1k, worst order",
    isBetter: "smaller",
    atLeast: 2,
    aim: 1.2,
    unit: "×",
    measure: (find) => find.worstClaimRatio(),
  },
  ...[1, 32].flatMap((connections) =>
    (["p50", "p95"] as const).map((which) => http(connections, which))
  ),
  latency("enqueue to start, same process, idle, p95", REACH_WORK.startHere("idle"), [2, 1]),
  latency("enqueue to start, other process, idle, p95", REACH_WORK.startThere("idle"), [40, 10]),
  amount("open 100k tasks", REACH_WORK.open("100k"), { atLeast: 0.6, aim: 0.25, unit: " s" }, 1000),
  amount("open 1M tasks", REACH_WORK.open("1M"), { atLeast: 1.5, aim: 0.8, unit: " s" }, 1000),
  amount("longest event-loop stall in a checkpoint at 100k tasks", REACH_WORK.stall("100k"), {
    atLeast: 15,
    aim: 5,
    unit: " ms",
  }),
  amount("fsyncs for 1,000 tasks in a batch, finished at concurrency 32", REACH_WORK.fsyncs, {
    atLeast: 200,
    aim: 80,
    unit: "",
  }),
  amount("idle worker CPU", REACH_WORK.idle, { atLeast: 0.4, aim: 0.2, unit: " %" }),
];

/** What a run's figures say of every goal. */
export function reachOf(figures: readonly Figure[]): Reached[] {
  const find = new Finder(figures);
  return GOALS.map((goal) => {
    const found = goal.measure(find);
    const { figure, unit } = goal;
    const sign = goal.isBetter === "larger" ? "≥" : "≤";
    return {
      figure,
      atLeast: `${sign} ${goal.atLeast}${unit}`,
      aim: `${sign} ${goal.aim}${unit}`,
      measured: found === undefined ? "–" : `${number(found)}${unit}`,
      verdict: verdictOf(goal, found),
    };
  });
}

function verdictOf({ isBetter, atLeast, aim }: Goal, found: number | undefined): Verdict {
  if (found === undefined) return "not measured";
  const reaches = (goal: number): boolean => isBetter === "larger" ? found >= goal : found <= goal;
  if (reaches(aim)) return "aim reached";
  return reaches(atLeast) ? "reached" : "missed";
}

type Pair = readonly [number, number];

function speedup(what: string, [ours, theirs]: readonly [string, string], goal: Pair): Goal {
  const [atLeast, aim] = goal;
  const measure = (find: Finder): number | undefined =>
    ratio(find.perSecond(ours), find.perSecond(theirs, YARDSTICK));
  const figure = ours === theirs ? `${what} vs ${YARDSTICK}` : `${what} ${YARDSTICK}`;
  return { figure, isBetter: "larger", atLeast, aim, unit: "×", measure };
}

function rate(figure: string, work: string, [atLeast, aim]: Pair): Goal {
  const measure = (find: Finder): number | undefined => find.perSecond(work);
  return { figure, isBetter: "larger", atLeast, aim, unit: " tasks/s", measure };
}

function http(connections: number, which: "p50" | "p95"): Goal {
  const [atLeast, aim] = connections > 1 ? [1.5, 1.1] : which === "p50" ? [1.5, 1.3] : [2, 1.4];
  return {
    figure: `${REACH_WORK.http(connections)}, queue vs in-memory, ${which}`,
    isBetter: "smaller",
    atLeast,
    aim,
    unit: "×",
    measure: (find) => {
      const work = REACH_WORK.http(connections);
      return ratio(find.latency(work)?.[which], find.latency(work, "in-memory")?.[which]);
    },
  };
}

function latency(figure: string, work: string, [atLeast, aim]: Pair): Goal {
  const measure = (find: Finder): number | undefined => find.latency(work)?.p95;
  return { figure, isBetter: "smaller", atLeast, aim, unit: " ms", measure };
}

function amount(
  figure: string,
  work: string,
  goal: Pick<Goal, "atLeast" | "aim" | "unit">,
  divisor = 1,
): Goal {
  const measure = (find: Finder): number | undefined => {
    const found = find.sample(work);
    return found === undefined ? undefined : found / divisor;
  };
  return { figure, isBetter: "smaller", ...goal, measure };
}

function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

/** Looks figures up. */
class Finder {
  readonly #figures: readonly Figure[];

  constructor(figures: readonly Figure[]) {
    this.#figures = figures;
  }

  perSecond(work: string, contender = FULL): number | undefined {
    const found = this.#find(work, contender)?.perSecond;
    return found && median(found);
  }

  latency(work: string, contender = FULL): Percentiles | undefined {
    return this.#find(work, contender)?.latencyMs;
  }

  sample(work: string, contender = FULL): number | undefined {
    const found = this.#find(work, contender)?.samples;
    return found && median(found);
  }

  /** Of all orders, how much slower the largest queue is than the smallest. */
  worstClaimRatio(): number | undefined {
    const ratios = REACH_WORK.claimOrders.flatMap((order) => {
      const p95s = this.#figures.filter(({ work, contender }) =>
        contender === FULL && work.startsWith(REACH_WORK.claimAt(order))
      ).map(({ latencyMs }) => latencyMs!.p95);
      return p95s.length < 2 ? [] : [p95s.at(-1)! / p95s[0]!];
    });
    return ratios.length === 0 ? undefined : Math.max(...ratios);
  }

  #find(work: string, contender: string): Figure | undefined {
    return this.#figures.find((figure) => figure.work === work && figure.contender === contender);
  }
}
