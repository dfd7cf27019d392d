/**
 * PatternAdvisor: which of the six task patterns fits, and why.
 *
 * The orchestrator asks it too, so what is recommended and what is done cannot differ.
 */
import { checkOneOf } from "../domain/check.ts";

/** The six patterns, in the order in which they are considered; the last fits always. */
export const TASK_PATTERNS = [
  "periodic",
  "streaming",
  "concurrent",
  "fire-and-forget",
  "pooled",
  "simple",
] as const;

/** A task pattern. */
export type TaskPattern = typeof TASK_PATTERNS[number];

/** What is asked of a pattern. */
export interface TaskNeeds {
  /** The work is to be done again and again; default false. */
  readonly isPeriodic?: boolean;
  /** Its output is wanted while it runs; default false. */
  readonly wantsOutput?: boolean;
  /** There are several pieces of work that can go on at the same time; default false. */
  readonly isBatch?: boolean;
  /** The caller waits for the result; default true. */
  readonly wantsResult?: boolean;
  /** It takes something of which there is only so much, shared with other work; default false. */
  readonly sharesResources?: boolean;
}

/** What a pattern is like. */
export interface PatternDescription {
  /** Its name. */
  readonly pattern: TaskPattern;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** When it is the right one. */
  readonly useWhen: string;
  /** When another one is better. */
  readonly avoidWhen: string;
  /** Which function or class it is. */
  readonly api: string;
  /** Whether `execute` resolves only when the work has ended. */
  readonly waitsForEnd: boolean;
  /** Whether output can be seen while the work goes on. */
  readonly showsOutputLive: boolean;
  /** Whether the work survives the end of the process, when `TASK_BACKEND` is `queue`. */
  readonly canBeDurable: boolean;
}

/** A recommendation. */
export interface PatternRecommendation {
  /** The pattern. */
  readonly pattern: TaskPattern;
  /** Why this one, in one sentence. */
  readonly reason: string;
  /** Patterns that fit other needs that were named as well, in the order in which they are considered. */
  readonly alternatives: readonly TaskPattern[];
}

const DESCRIPTIONS: Readonly<Record<TaskPattern, PatternDescription>> = Object.freeze({
  periodic: {
    pattern: "periodic",
    summary: "Does the work at once, and then every interval after it has ended.",
    useWhen:
      "something is to be done again and again while this process lives, such as cleaning up",
    avoidWhen:
      "it must fire once among several processes, or survive this one: use a durable schedule",
    api: "PeriodicTaskManager",
    waitsForEnd: false,
    showsOutputLive: false,
    canBeDurable: false,
  },
  streaming: {
    pattern: "streaming",
    summary: "Runs a script and hands on every line while it runs.",
    useWhen: "it runs for long, and its output is watched",
    avoidWhen: "only the outcome matters",
    api: "executeLongRunning",
    waitsForEnd: true,
    showsOutputLive: true,
    canBeDurable: false,
  },
  concurrent: {
    pattern: "concurrent",
    summary: "Runs a batch, a limited number at a time, and gives all outcomes in order.",
    useWhen: "there are many pieces of work that do not depend on each other",
    avoidWhen: "they must survive this process: enqueue them as tasks",
    api: "ConcurrentExecutor",
    waitsForEnd: true,
    showsOutputLive: false,
    canBeDurable: false,
  },
  "fire-and-forget": {
    pattern: "fire-and-forget",
    summary: "Starts a run, answers at once, and keeps track of it.",
    useWhen: "no caller waits for the result, or the work must survive this process",
    avoidWhen: "the next line needs the result",
    api: "TaskManager (createTaskManager)",
    waitsForEnd: false,
    showsOutputLive: true,
    canBeDurable: true,
  },
  pooled: {
    pattern: "pooled",
    summary: "Runs a script when the pool has a place for it.",
    useWhen:
      "callers that do not know each other share something limited, such as memory or a licence",
    avoidWhen: "nothing is limited",
    api: "ResourcePool",
    waitsForEnd: true,
    showsOutputLive: false,
    canBeDurable: false,
  },
  simple: {
    pattern: "simple",
    summary: "Runs a script and gives its exit code and output.",
    useWhen: "it is short and the result is wanted now",
    avoidWhen: "it runs for long, or there are many",
    api: "executeModule",
    waitsForEnd: true,
    showsOutputLive: false,
    canBeDurable: false,
  },
});

/** Which needs a pattern meets, and the words for it. `simple` meets what is left. */
const REASONS: Readonly<Record<TaskPattern, { meets(needs: TaskNeeds): boolean; reason: string }>> =
  Object.freeze({
    periodic: { meets: (needs) => needs.isPeriodic ?? false, reason: "the work recurs" },
    streaming: {
      meets: (needs) => needs.wantsOutput ?? false,
      reason: "its output is wanted while it runs",
    },
    concurrent: {
      meets: (needs) => needs.isBatch ?? false,
      reason: "there are several pieces of work",
    },
    "fire-and-forget": {
      meets: (needs) => !(needs.wantsResult ?? true),
      reason: "no caller waits for the result",
    },
    pooled: {
      meets: (needs) => needs.sharesResources ?? false,
      reason: "it shares limited resources with other work",
    },
    simple: { meets: () => true, reason: "one script, whose result is wanted now" },
  });

/** Knows the six patterns. */
export class PatternAdvisor {
  /** The pattern that fits, by the precedence periodic, streaming, concurrent, no result wanted, pool, simple. */
  recommend(needs: TaskNeeds = {}): PatternRecommendation {
    const [pattern, ...others] = TASK_PATTERNS.filter((name) => REASONS[name].meets(needs));
    return {
      pattern: pattern!,
      reason: `${DESCRIPTIONS[pattern!].api}, because ${REASONS[pattern!].reason}`,
      alternatives: others.filter((name) => name !== "simple"),
    };
  }

  /** What a pattern is like. @throws TypeError for an unknown one. */
  explain(pattern: TaskPattern): PatternDescription {
    return DESCRIPTIONS[checkPattern(pattern)];
  }

  /** What several patterns are like, in the order asked for; without names, all of them. @throws TypeError for an unknown one. */
  compare(...patterns: readonly TaskPattern[]): PatternDescription[] {
    const wanted = patterns.length === 0 ? TASK_PATTERNS : patterns;
    return wanted.map((pattern) => this.explain(pattern));
  }
}

/** A pattern by its name. @throws TypeError that says which there are. */
export function checkPattern(name: string): TaskPattern {
  return checkOneOf(name, TASK_PATTERNS, { doing: "use pattern" });
}
