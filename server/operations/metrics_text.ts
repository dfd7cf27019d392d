/**
 * Metrics in the text format of Prometheus, version 0.0.4.
 */
import type {
  DurationSummary,
  DurationTotals,
  QueueHealth,
  QueueMetrics,
  StorageStats,
} from "../../src/core.ts";

/** How far the metrics of `/metrics` look back. */
export const METRICS_WINDOW_MS = 300_000;

/** So many types have samples of their own. */
const TYPES_MAX = 200;

/** All other types. */
const OTHER = "other";

type Labels = Readonly<Record<string, string>>;
/** `ending` is that of the name, in a histogram. */
type Sample = readonly [labels: Labels, value: number, ending?: string];

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter" | "histogram" | "summary";
  readonly samples: readonly Sample[];
}

const KINDS = [
  "enqueued",
  "leased",
  "completed",
  "failed",
  "retried",
  "rescued",
  "released",
  "cancelled",
  "requeued",
  "expired",
] as const;

const VERDICTS = ["healthy", "degraded", "unhealthy"] as const;

/** Every family, each with its help and type. */
export function prometheusText(
  metrics: QueueMetrics,
  { health, storage }: { readonly health: QueueHealth; readonly storage: StorageStats | null },
): string {
  const families = [
    ...backlogFamilies(metrics),
    ...limitFamilies(metrics),
    ...windowFamilies(metrics),
    ...totalFamilies(metrics),
    gauge(
      "holdfast_health",
      "1 for the queue's verdict, 0 for the others",
      VERDICTS.map((verdict) => [{ verdict }, verdict === health.verdict ? 1 : 0]),
    ),
    ...storageFamilies(storage),
  ];
  return families.map(familyText).join("");
}

function backlogFamilies(
  { byType, due, scheduled, oldestDueAgeMs, workers }: QueueMetrics,
): Family[] {
  const tasks = boundedTypes(byType).flatMap(([type, byStatus]) =>
    Object.entries(byStatus).map(([status, count]): Sample => [{ type, status }, count])
  );
  const states = Object.entries(workers).map(([state, count]): Sample => [{ state }, count]);
  return [
    gauge("holdfast_tasks", "Tasks by type and status", tasks),
    gauge("holdfast_tasks_due", "Queued tasks that could run", [[{}, due]]),
    gauge("holdfast_tasks_scheduled", "Queued tasks whose time has not come", [[{}, scheduled]]),
    gauge("holdfast_oldest_due_age_seconds", "How long the oldest due task has been due", [
      [{}, (oldestDueAgeMs ?? 0) / 1000],
    ]),
    gauge("holdfast_workers", "Workers by the age of their heartbeats", states),
  ];
}

/** A type that is empty is the whole queue. Limits are set by operators only, and bounded like types. */
function limitFamilies({ dueSplit, limits }: QueueMetrics): Family[] {
  const shown = limits.slice(0, TYPES_MAX);
  const samples = (valueOf: (limit: QueueMetrics["limits"][number]) => number | null): Sample[] =>
    shown.flatMap((limit): Sample[] => {
      const value = valueOf(limit);
      return value === null
        ? []
        : [[{ type: limit.scope.type ?? "", group: limit.scope.group ?? "" }, value]];
    });
  const split: Sample[] = [
    [{ hold: "none" }, dueSplit.claimable],
    [{ hold: "paused" }, dueSplit.paused],
    [{ hold: "at_concurrency" }, dueSplit.atConcurrency],
    [{ hold: "at_rate" }, dueSplit.atRate],
  ];
  return [
    gauge("holdfast_tasks_due_by_hold", "Due tasks by what holds them back", split),
    gauge("holdfast_limit_slots", "How many may run", samples(({ concurrency }) => concurrency)),
    gauge("holdfast_limit_held", "How many slots are held", samples(({ held }) => held)),
    gauge(
      "holdfast_limit_next_start_timestamp_seconds",
      "When the rate allows the next start, while it allows none now",
      samples(({ nextStartAt }) => nextStartAt && nextStartAt.getTime() / 1000),
    ),
    gauge(
      "holdfast_limit_blocked",
      "Due tasks that a limit or a pause holds back",
      samples(({ blocked }) => blocked),
    ),
    gauge(
      "holdfast_paused",
      "Whether the type, or with an empty type the whole queue, is paused",
      samples(({ isPaused }) => isPaused ? 1 : 0),
    ),
  ];
}

type Counts = QueueMetrics["byType"][string];

/**
 * The types with the most tasks, and all others as one: each type is a series, and every caller that may enqueue can make more. A type
 * that is called `other` is one of the others, or a series would be there twice.
 */
function boundedTypes(byType: QueueMetrics["byType"]): [string, Counts][] {
  const sizeOf = (counts: Counts): number => Object.values(counts).reduce((sum, n) => sum + n, 0);
  const bySize = Object.entries(byType).toSorted(([, a], [, b]) => sizeOf(b) - sizeOf(a));
  const isOther = ([type]: [string, Counts], place: number): boolean =>
    place >= TYPES_MAX || type === OTHER;
  const others: Record<string, number> = {};
  for (const [, counts] of bySize.filter(isOther)) {
    for (const [status, n] of Object.entries(counts)) others[status] = (others[status] ?? 0) + n;
  }
  const named = bySize.filter((entry, place) => !isOther(entry, place));
  return named.length === bySize.length ? named : [...named, [OTHER, others as Counts]];
}

function windowFamilies({ window }: QueueMetrics): Family[] {
  const transitions = KINDS.map((kind): Sample => [{ kind }, window[kind]]);
  return [
    gauge("holdfast_window_seconds", "How far the holdfast_window metrics look back", [
      [{}, window.windowMs / 1000],
    ]),
    gauge("holdfast_window_transitions", "What happened to tasks", transitions),
    gauge("holdfast_window_throughput", "Tasks finished a second", [
      [{}, window.throughputPerSecond],
    ]),
    summary("holdfast_window_wait_seconds", "From due to leased", window.waitMs),
    summary("holdfast_window_run_seconds", "From leased to the attempt's end", window.runMs),
  ];
}

/** Counters that never fall: the queue keeps them, see `QueueMetrics.totals`. */
function totalFamilies({ totals }: QueueMetrics): Family[] {
  const types = Object.entries(totals);
  const transitions = types.flatMap(([type, { transitions }]) =>
    KINDS.map((kind): Sample => [{ type, kind }, transitions[kind]])
  );
  const durations = (of: "waitMs" | "runMs"): Sample[] =>
    types.flatMap(([type, total]) => histogramSamples(type, total[of]));
  return [
    counter("holdfast_transitions_total", "What has happened to tasks", transitions),
    histogram("holdfast_wait_seconds", "From due to leased", durations("waitMs")),
    histogram("holdfast_run_seconds", "From leased to the attempt's end", durations("runMs")),
  ];
}

/** None while nothing was measured. */
function histogramSamples(type: string, { count, sumMs, buckets }: DurationTotals): Sample[] {
  if (count === 0) return [];
  return [
    ...buckets.map(({ leMs, count }): Sample => [{ type, le: `${leMs / 1000}` }, count, "_bucket"]),
    [{ type, le: "+Inf" }, count, "_bucket"],
    [{ type }, sumMs / 1000, "_sum"],
    [{ type }, count, "_count"],
  ];
}

function storageFamilies(storage: StorageStats | null): Family[] {
  if (storage === null) return [];
  const one = (value: number): Sample[] => [[{}, value]];
  return [
    gauge("holdfast_journal_bytes", "The journal's size", one(storage.journalBytes)),
    gauge("holdfast_snapshot_bytes", "The snapshot's size", one(storage.snapshotBytes)),
    gauge("holdfast_memory_used_bytes", "What the tasks take", one(storage.memoryUsedBytes)),
    gauge("holdfast_memory_max_bytes", "What they may take", one(storage.memoryMaxBytes)),
    counter("holdfast_records_total", "Records in the journal's history", one(storage.sequence)),
    counter("holdfast_commits_total", "Commits by this process", one(storage.commits)),
    counter("holdfast_syncs_total", "fsyncs by this process", one(storage.syncs)),
    counter("holdfast_torn_tails_total", "Torn tails this process cut", one(storage.tornTails)),
  ];
}

/** Quantiles alone: the count of a window falls, which that of a summary may not. */
function summary(name: string, help: string, { p50, p95, p99 }: DurationSummary): Family {
  const known = [["0.5", p50], ["0.95", p95], ["0.99", p99]] as const;
  const samples = known.flatMap(([quantile, ms]): Sample[] =>
    ms === null ? [] : [[{ quantile }, ms / 1000]]
  );
  return { name, help, type: "summary", samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: "gauge", samples };
}

function histogram(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: "histogram", samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, type: "counter", samples };
}

function familyText({ name, help, type, samples }: Family): string {
  const lines = samples.map(([labels, value, ending = ""]) =>
    `${name}${ending}${labelsText(labels)} ${value}`
  );
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
