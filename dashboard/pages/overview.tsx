/** @jsxImportSource hono/jsx */
/**
 * The overview: is all well, and if not, where to look.
 */
import {
  type HealthReason,
  type LimitRecord,
  type QueueHealth,
  type QueueMetrics,
  scopeText,
  sleep,
  TASK_LIMITS,
  TASK_STATUSES,
  type WindowMetrics,
} from "../../src/core.ts";
import type { Services, Viewer } from "../options.ts";
import { rest } from "../rest.ts";
import type { Interval } from "../series.ts";
import { count, duration, share } from "../text.ts";
import { Charts } from "./charts.tsx";
import {
  Action,
  Duration,
  type Html,
  Nothing,
  Status,
  Table,
  TasksLink,
  Text,
  Time,
} from "./parts.tsx";

const HOUR_MS = 3_600_000;

/** Types are listed up to this number, those with most tasks that are not final first. */
export const TYPES_MAX = 50;

/** What the overview shows. */
interface Seen {
  readonly health: QueueHealth;
  readonly metrics: QueueMetrics;
  readonly day: WindowMetrics;
  readonly limits: readonly LimitRecord[];
  readonly intervals: readonly Interval[];
}

/** How long the numbers of a day are kept, in milliseconds. */
const DAY_KEPT_MS = 5 * 60_000;

/**
 * Reads what the overview shows, once for all who look. All windows are asked for at the same time, so that a queue may answer
 * them by one count.
 */
async function read({ queue, kept, series }: Services): Promise<Seen> {
  const windowOf = async (windowMs: number): Promise<WindowMetrics> =>
    (await queue.metrics({ windowMs })).window;
  const readMetrics = kept.get("metrics", () => queue.metrics({ windowMs: HOUR_MS }));
  const readDay = kept.get("day", () => windowOf(24 * HOUR_MS), DAY_KEPT_MS);
  const readIntervals = kept.get("series", () => series.read(24 * HOUR_MS, readMetrics));
  const reading = Promise.all([readMetrics, readDay, readIntervals]);
  reading.catch(() => {}); // told below
  await rest();
  const health = await kept.get("health", () => queue.health());
  const limits = await queue.listLimits();
  const [metrics, day, intervals] = await reading;
  await rest();
  const { isTruncated } = metrics.window;
  return { ...{ health, limits, metrics, day }, intervals: isTruncated ? [] : intervals };
}

/** The same, or `undefined` when that takes long: it goes on, for who looks next. */
export async function readOverview(services: Services): Promise<Seen | undefined> {
  const { app, patienceMs } = services;
  const reading = read(services);
  reading.catch(() => {}); // who looks next is told
  const waiting = new AbortController();
  try {
    const late = sleep(app.clock, patienceMs, waiting.signal).then(() => undefined);
    return await Promise.race([reading, late]);
  } finally {
    waiting.abort();
  }
}

export function StillCounting(): Html {
  return (
    <Nothing>
      The tasks are being counted, which takes a while in a large queue. This page comes again by
      itself.
    </Nothing>
  );
}

/** The parts of the page, from the top. */
export function overviewParts(seen: Seen, viewer: Viewer): Html[] {
  const { health, metrics, limits, intervals, day } = seen;
  const total = Object.values(metrics.byStatus).reduce((sum, n) => sum + n, 0);
  return [
    <Verdict health={health} viewer={viewer} />,
    ...total === 0 ? [<FirstSteps />] : [],
    <Counts metrics={metrics} viewer={viewer} />,
    <h2>Paused and limited</h2>,
    <Flow limits={limits} viewer={viewer} />,
    <h2>The last hour and day</h2>,
    <Windows hour={metrics.window} day={day} />,
    ...intervals.length === 0 ? [] : [<Charts intervals={intervals} nowMs={viewer.nowMs} />],
    <h2>Types</h2>,
    <Types metrics={metrics} viewer={viewer} />,
  ];
}

/** Where to look for each reason. */
function reasonPath({ code }: HealthReason): string {
  const paths: Partial<Record<HealthReason["code"], string>> = {
    no_active_worker: "/workers",
    silent_workers: "/workers",
    oldest_due_waits: "/tasks?status=queued",
    failure_rate: "/failures",
    expired_leases: "/tasks?status=leased",
    paused_long: "#flow",
    limit_full: "#flow",
  };
  return paths[code] ?? "/storage";
}

function Verdict(
  { health, viewer }: { readonly health: QueueHealth; readonly viewer: Viewer },
): Html {
  const shape = { healthy: "●", degraded: "◐", unhealthy: "✕" }[health.verdict];
  return (
    <div class={`verdict ${health.verdict}`} data-say={`The queue is ${health.verdict}`}>
      <strong>
        <span aria-hidden="true">{shape}</span> {health.verdict}
      </strong>{" "}
      <span class="dim">
        as of <Time at={health.at} nowMs={viewer.nowMs} />
      </span>
      {health.reasons.length > 0 && (
        <ul>
          {health.reasons.map((reason) => {
            const path = reasonPath(reason);
            return (
              <li>
                <a href={path.startsWith("#") ? path : viewer.prefix + path}>{reason.severity}</a>:
                {" "}
                <Text of={reason.message} max={500} />
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

function FirstSteps(): Html {
  return (
    <Nothing>
      The queue is empty. Three commands to begin with:
      <pre tabindex={0}>{`holdfast enqueue email --payload '{"to":"a@example.com"}'
holdfast worker --handlers handlers.ts
holdfast list`}</pre>
    </Nothing>
  );
}

function Counts(
  { metrics, viewer }: { readonly metrics: QueueMetrics; readonly viewer: Viewer },
): Html {
  const { workers, dueSplit } = metrics;
  return (
    <div class="cards">
      {TASK_STATUSES.map((status) => (
        <div>
          <b>{count(metrics.byStatus[status])}</b>
          <TasksLink viewer={viewer} filter={{ status }}>
            <Status of={status} />
          </TasksLink>
        </div>
      ))}
      <div>
        <b>{count(metrics.due)}</b>due{" "}
        {dueSplit.paused + dueSplit.atConcurrency + dueSplit.atRate > 0 && (
          <span class="dim">
            ({count(dueSplit.paused)} paused, {count(dueSplit.atConcurrency + dueSplit.atRate)}{" "}
            limited)
          </span>
        )}
      </div>
      <div>
        <b>{duration(metrics.oldestDueAgeMs)}</b>oldest due waits
      </div>
      <div>
        <b>{count(metrics.scheduled)}</b>for later
      </div>
      <div>
        <b>{count(metrics.waitingForParents)}</b>wait for parents
      </div>
      <div>
        <b>{count(workers.active)}</b>
        <a href={`${viewer.prefix}/workers`}>active workers</a>
        {workers.limbo + workers.stale > 0 && (
          <span class="dim">({count(workers.limbo + workers.stale)} silent)</span>
        )}
      </div>
    </div>
  );
}

function Flow(
  { limits, viewer }: { readonly limits: readonly LimitRecord[]; readonly viewer: Viewer },
): Html {
  const isPaused = limits.some(({ scope, paused }) =>
    paused !== null && scope.type === undefined && scope.group === undefined
  );
  return (
    <div id="flow">
      {limits.length === 0 ? <p class="dim">Nothing is paused, and no limit is set.</p> : (
        <Table
          label="Limits and pauses"
          head={["scope", "running", "starts", "held back", "pause", "action"]}
        >
          {limits.map((record) => <FlowRow record={record} viewer={viewer} />)}
        </Table>
      )}
      {viewer.can("operate") && !isPaused && (
        <form method="post" action={`${viewer.prefix}/pause`} class="bar">
          <label>
            Type (empty: any)<input name="type" maxlength={200} />
          </label>
          <label>
            Group (empty: any)<input name="group" maxlength={TASK_LIMITS.groupMaxLength} />
          </label>
          <label>
            Reason<input name="reason" maxlength={500} />
          </label>
          <button type="submit">Pause</button>
        </form>
      )}
    </div>
  );
}

function FlowRow(
  { record, viewer }: { readonly record: LimitRecord; readonly viewer: Viewer },
): Html {
  const { scope, concurrency, rate, nextStartAt, held, blocked, paused } = record;
  const name = scopeText(scope, (written) => written);
  return (
    <tr>
      <td>
        <Text of={name} />
      </td>
      <td>{concurrency === null ? count(held) : `${count(held)} of ${count(concurrency)}`}</td>
      <td>
        {rate === null ? "–" : (
          <>
            {count(rate.limit)} in {duration(rate.periodMs)}
            {nextStartAt !== null && (
              <>
                , next <Time at={nextStartAt} nowMs={viewer.nowMs} />
              </>
            )}
          </>
        )}
      </td>
      <td>{count(blocked)}</td>
      <td>
        {paused === null ? "–" : (
          <>
            since <Time at={paused.at} nowMs={viewer.nowMs} />
            {paused.by !== null && (
              <>
                {" "}by <Text of={paused.by} />
              </>
            )}
            {paused.reason !== null && (
              <>
                : <Text of={paused.reason} />
              </>
            )}
          </>
        )}
      </td>
      <td>
        {paused !== null && viewer.can("operate") && (
          <Action
            viewer={viewer}
            path="/resume"
            label="Resume"
            title={`Resume ${name}`}
            fields={{ ...scope }}
          />
        )}
      </td>
    </tr>
  );
}

function Windows(
  { hour, day }: { readonly hour: WindowMetrics; readonly day: WindowMetrics },
): Html {
  const row = (name: string, window: WindowMetrics): Html => (
    <tr>
      <th scope="row">{window.isTruncated ? `last ${duration(window.windowMs)}` : name}</th>
      <td>{count(window.completed)}</td>
      <td>{count(window.failed)}</td>
      <td>{share(window.failureRate)}</td>
      <td>{count(window.retried)}</td>
      <td>{Math.round(window.throughputPerSecond * 100) / 100}</td>
      <td>
        <Duration ms={window.waitMs.p50} /> / <Duration ms={window.waitMs.p95} />
      </td>
      <td>
        <Duration ms={window.runMs.p50} /> / <Duration ms={window.runMs.p95} />
      </td>
    </tr>
  );
  return (
    <Table
      label="The last hour and day"
      head={[
        "window",
        "completed",
        "failed",
        "failure rate",
        "retried",
        "per second",
        "wait p50 / p95",
        "run p50 / p95",
      ]}
    >
      {row("hour", hour)}
      {row("day", day)}
    </Table>
  );
}

function Types(
  { metrics, viewer }: { readonly metrics: QueueMetrics; readonly viewer: Viewer },
): Html {
  const types = Object.entries(metrics.byType);
  if (types.length === 0) return <p class="dim">There are no tasks.</p>;
  const open = ([, n]: typeof types[number]): number => (n.queued + n.leased) * 1e9 + n.failed;
  const shown = types.sort((a, b) => open(b) - open(a)).slice(0, TYPES_MAX);
  return (
    <>
      <Table label="Types" head={["type", ...TASK_STATUSES]}>
        {shown.map(([type, counts]) => (
          <tr>
            <td>
              <TasksLink viewer={viewer} filter={{ type }}>
                <Text of={type} max={60} />
              </TasksLink>
            </td>
            {TASK_STATUSES.map((status) => (
              <td>
                {counts[status] === 0 ? "0" : (
                  <TasksLink viewer={viewer} filter={{ type, status }}>
                    {count(counts[status])}
                  </TasksLink>
                )}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      {types.length > TYPES_MAX && (
        <p class="dim">
          {TYPES_MAX} of {count(types.length)} types, those with most open tasks first.
        </p>
      )}
    </>
  );
}
