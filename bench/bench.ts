/**
 * What a part of the bench is given, and how large it may be.
 */
import { join } from "node:path";
import type { Figure } from "./figures.ts";

/** How much is measured. */
export interface Scale {
  readonly rounds: number;
  /** Operations of one round, one after the other. */
  readonly operations: number;
  /** How many samples a latency has. */
  readonly latencies: number;
  /** Queue sizes for claims, opening and checkpoints. */
  readonly sizes: readonly number[];
  /** Tasks that three workers share. */
  readonly sharedTasks: number;
  /** How long a waiting worker is watched, in seconds. */
  readonly idleSeconds: number;
  /** HTTP requests of one round. */
  readonly requests: number;
  /** Whether the fsyncs of those who do not count them themselves are counted from outside, where that is possible. */
  readonly tracesSyncs: boolean;
}

/** Minutes. */
export const FULL_SCALE: Scale = Object.freeze({
  rounds: 7,
  operations: 1000,
  latencies: 300,
  sizes: Object.freeze([1000, 100_000, 1_000_000]),
  sharedTasks: 6000,
  idleSeconds: 30,
  requests: 960,
  tracesSyncs: true,
});

/** Seconds. */
export const QUICK_SCALE: Scale = Object.freeze({
  rounds: 3,
  operations: 300,
  latencies: 60,
  sizes: Object.freeze([1000, 100_000]),
  sharedTasks: 2000,
  idleSeconds: 5,
  requests: 320,
  tracesSyncs: false,
});

/** What a part works with. */
export interface Bench {
  readonly scale: Scale;
  /** A new folder's path for this name; all are removed at the end. */
  folder(name: string): string;
  /** Says what is going on. */
  say(text: string): void;
}

/** A part of the bench. */
export interface Part {
  /** What `--only` selects, and `--help` lists. */
  readonly name: string;
  /** One line for people. */
  readonly about: string;
  run(bench: Bench): Promise<Figure[]>;
}

/** Runs `use` with a bench whose folders are removed afterwards. */
export async function withBench(scale: Scale, use: (bench: Bench) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "holdfast bench " });
  let folders = 0;
  try {
    await use({
      scale,
      folder: (name) => {
        const path = join(root, `${++folders} ${name}`);
        Deno.mkdirSync(path);
        return path;
      },
      say: (text) => console.error(text),
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A size in words: `100k`, `1M`. */
export function sizeName(size: number): string {
  if (size >= 1_000_000) return `${size / 1_000_000}M`;
  return size >= 1000 ? `${size / 1000}k` : String(size);
}
