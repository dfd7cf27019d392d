/**
 * How much the tests try, in three sizes: `quick` (the default) for everyday work, `all` for CI, `nightly` for a long run.
 * The environment variable HOLDFAST_EFFORT chooses. `all` and `nightly` run every test; they differ in these counts alone.
 * `quick` leaves out what `LEFT_OUT` names, and single tests with the largest payloads or of programs (`thorough.ts`).
 */
const SIZES = ["quick", "all", "nightly"] as const;

/** One of the three sizes. */
export type Effort = typeof SIZES[number];

/**
 * Folders and files of tests that `quick` leaves out when none are asked for by name: they start a database server, a
 * browser, other programs or blocked threads again and again, build a program first, kill processes, or repeat what the
 * simulation once found.
 */
export const LEFT_OUT: readonly string[] = [
  "test/postgres_queue",
  "test/process",
  "test/cli/binary.test.ts",
  "test/cli/compiled.test.ts",
  "test/cli/container.test.ts",
  "test/cli/demo.test.ts",
  "test/cli/follow.test.ts",
  "test/cli/handler_exits.test.ts",
  "test/cli/handler_output.test.ts",
  "test/cli/interrupt.test.ts",
  "test/cli/isolated_process.test.ts",
  "test/cli/modules.test.ts",
  "test/cli/process.test.ts",
  "test/cli/remote_worker.test.ts",
  "test/cli/webhooks.test.ts",
  "test/contract/task_orchestrator.test.ts",
  "test/core/browser.test.ts",
  "test/core/bun.test.ts",
  "test/core/node.test.ts",
  "test/core/workerd.test.ts",
  "test/dashboard/browser.test.ts",
  "test/examples",
  "test/patterns/command_module.test.ts",
  "test/patterns/execute_module.test.ts",
  "test/project.test.ts",
  "test/readme.test.ts",
  "test/server/crash.test.ts",
  "test/server/memory.test.ts",
  "test/simulation/regressions.test.ts",
  "test/simulation/relaxed.test.ts",
  "test/transfer/drill.test.ts",
  "test/transfer/import_original.test.ts",
  "test/worker/flood.test.ts",
  "test/worker/isolation.test.ts",
];

/** For each count: quick, all, nightly. */
const COUNTS = {
  /** Histories of the simulation, from seed 1 on. */
  simulationSeeds: [100, 2000, 2000],
  /** Seeds among which the histories with `relaxed` durability are chosen. */
  relaxedSeeds: [150, 400, 400],
  /** Histories of folders that are moved. */
  moveSeeds: [25, 50, 200],
  /** Rounds of each way to move a queue's files under three processes. */
  moveRounds: [1, 1, 20],
  /** Kills of moves to another queue and back. */
  queueMoveKills: [2, 6, 60],
  /** Kills in the storm. */
  stormKills: [5, 20, 200],
  /** Kills of the process that enqueues. */
  enqueuerKills: [5, 50, 50],
  /** Tasks that three workers share. */
  sharedTasks: [600, 3000, 3000],
  /** Times that an idle worker is woken, and a running task cancelled, by another process. */
  wakeUps: [3, 20, 20],
  /** Of the places in a snapshot where bits are flipped, every so many-th. */
  flipStride: [20, 1, 1],
  /** Bytes between flips in a journal of two processes, at most. */
  flipGap: [120, 24, 24],
  /** Requests to the HTTP interface. */
  fuzzRequests: [120, 6000, 6000],
  /** Requests to it while its queue is broken. */
  fuzzRequestsWhileDown: [60, 1000, 1000],
  /** Command lines. */
  fuzzCommands: [60, 1140, 1140],
  /** Requests after which the heap must not have grown. */
  memoryRequests: [2000, 10_000, 10_000],
  /** Tasks in a row, each the parent of the next. */
  chainLength: [300, 10_000, 10_000],
  /** Starts whose turns are counted. */
  fairStarts: [500, 10_000, 200_000],
  /** The same on a PostgreSQL server. */
  postgresFairStarts: [300, 2000, 50_000],
  /** Tasks beside which a claim must cost what it costs beside ten. */
  queuedTasks: [1000, 10_000, 10_000],
  /** Tasks beside which the plans of a claim's statements are looked at, half of them queued and half scheduled. */
  plannedTasks: [10_000, 200_000, 200_000],
  /** Draws whose distribution is tested. */
  draws: [1000, 10_000, 10_000],
  /** Rounds of several draws each, likewise. */
  drawRounds: [100, 1000, 1000],
  /** Histories compared with the oracle of the queue. */
  modelRuns: [30, 400, 2000],
  /** Per hundred of the cases that a property is tried with. */
  propertyPercent: [10, 100, 500],
  /** Times that a PostgreSQL server is stopped as by a crash, under load. */
  serverStops: [3, 10, 50],
  /** The same on a PostgreSQL server, which is asked about each link. */
  postgresChain: [100, 500, 10_000],
  /** Calls to a PostgreSQL server some of whose answers are lost. */
  lostAnswers: [80, 200, 4000],
  /** Tasks on a PostgreSQL server that eight processes share while some are killed, and how many are. */
  postgresTasks: [400, 2000, 100_000],
  postgresKills: [4, 10, 100],
  /** Programs that must not tell the task managers apart. */
  substituteSeeds: [2, 4, 40],
  /** Programs of two managers on one queue, in each place. */
  neighbourSeeds: [1, 1, 10],
  /** Operations of each such program. */
  neighbourOperations: [16, 40, 40],
  /** Kinds of fault that each scenario is tried with: every so many-th, beginning with another one in each scenario. */
  faultKindStride: [2, 1, 1],
  /** Histories that shrinking a failed one may try. */
  shrinkTries: [20, 60, 60],
  /** Test files that one process runs. More load less often what they share, and fill its memory more. */
  filesOfAProcess: [36, 24, 24],
} as const satisfies Readonly<Record<string, readonly [number, number, number]>>;

/** The size that was chosen. */
export const EFFORT: Effort = chosen(Deno.env.get("HOLDFAST_EFFORT") || "quick");

/** The count of the size that was chosen. */
export function effort(name: keyof typeof COUNTS): number {
  return COUNTS[name][SIZES.indexOf(EFFORT)]!;
}

/** How many cases a property is tried with, of `all`. */
export function numRuns(all: number): number {
  return Math.ceil(all * effort("propertyPercent") / 100);
}

/** Whether what only many cases show can be expected. */
export function isThorough(): boolean {
  return EFFORT !== "quick";
}

function chosen(name: string): Effort {
  const found = SIZES.find((size) => size === name);
  if (found !== undefined) return found;
  throw new RangeError(
    `Cannot use ${JSON.stringify(name)} as HOLDFAST_EFFORT: allowed are ${SIZES.join(", ")}`,
  );
}
