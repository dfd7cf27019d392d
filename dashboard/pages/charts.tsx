/** @jsxImportSource hono/jsx */
/**
 * Charts: bars to scale in time, each chart with its numbers in a table.
 */
import type { Interval } from "../series.ts";
import { count, duration } from "../text.ts";
import { type Html, Table } from "./parts.tsx";

const WIDTH = 480;
const HEIGHT = 110;
const HOUR_MS = 3_600_000;

interface Bar {
  readonly kind: string;
  readonly label: string;
  /** The height; `null` for none. */
  readonly of: (interval: Interval) => number | null;
  readonly text: (value: number) => string;
}

const perMinute = (n: number, { fromMs, toMs }: Interval): number => n / ((toMs - fromMs) / 60_000);
const rate = (n: number): string =>
  `${count(n * 10) === "0" ? 0 : Math.round(n * 10) / 10} a minute`;

const CHARTS: readonly { readonly title: string; readonly bars: readonly Bar[] }[] = [
  {
    title: "Throughput and failures",
    bars: [
      { kind: "good", label: "completed", of: (i) => perMinute(i.completed, i), text: rate },
      { kind: "bad", label: "failed", of: (i) => perMinute(i.failed, i), text: rate },
    ],
  },
  {
    title: "Wait",
    bars: [
      { kind: "half", label: "wait p50", of: (i) => i.waitP50, text: duration },
      { kind: "most", label: "wait p95", of: (i) => i.waitP95, text: duration },
    ],
  },
  {
    title: "Run time",
    bars: [
      { kind: "half", label: "run time p50", of: (i) => i.runP50, text: duration },
      { kind: "most", label: "run time p95", of: (i) => i.runP95, text: duration },
    ],
  },
];

/** The charts of the last hour, or of as much as is known of the day. */
export function Charts(
  { intervals, nowMs }: { readonly intervals: readonly Interval[]; readonly nowMs: number },
): Html {
  return (
    <div class="charts">
      {CHARTS.map((chart) => <Chart {...chart} intervals={intervals} nowMs={nowMs} />)}
    </div>
  );
}

function Chart(
  { title, bars, intervals, nowMs }: {
    readonly title: string;
    readonly bars: readonly Bar[];
    readonly intervals: readonly Interval[];
    readonly nowMs: number;
  },
): Html {
  const sinceMs = Math.min(nowMs - HOUR_MS, intervals[0]!.fromMs);
  const most = Math.max(0, ...intervals.flatMap((each) => bars.map(({ of }) => of(each) ?? 0)));
  const x = (ms: number): number =>
    Math.round((ms - sinceMs) / (nowMs - sinceMs) * WIDTH * 10) / 10;
  const top = bars[0]!.text(most);
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <svg
        class="chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT + 16}`}
        role="img"
        aria-label={`${title}: at most ${top}`}
      >
        {intervals.flatMap((each) =>
          bars.map(({ kind, of, text, label }, n) => {
            const value = of(each) ?? 0;
            if (value <= 0 || most <= 0) return "";
            const height = Math.max(1, value / most * (HEIGHT - 14));
            const width = Math.max(1, (x(each.toMs) - x(each.fromMs)) / bars.length - 0.5);
            return (
              <rect
                class={kind}
                x={x(each.fromMs) + n * width}
                y={HEIGHT - height}
                width={width}
                height={height}
              >
                <title>{`${label}: ${text(value)}`}</title>
              </rect>
            );
          })
        )}
        <line class="axis" x1="0" y1={HEIGHT} x2={WIDTH} y2={HEIGHT} />
        <text x="0" y="10">{top}</text>
        <text x="0" y={HEIGHT + 13}>{duration(nowMs - sinceMs)} ago</text>
        <text x={WIDTH} y={HEIGHT + 13} text-anchor="end">now</text>
      </svg>
      <details>
        <summary>Numbers</summary>
        <Table label={`${title}: numbers`} head={["from", "to", ...bars.map(({ label }) => label)]}>
          {intervals.slice(-30).map((each) => (
            <tr>
              <td>{new Date(each.fromMs).toISOString().slice(11, 19)}</td>
              <td>{new Date(each.toMs).toISOString().slice(11, 19)}</td>
              {bars.map(({ of, text }) => {
                const value = of(each);
                return <td>{value === null ? "–" : text(value)}</td>;
              })}
            </tr>
          ))}
        </Table>
      </details>
    </figure>
  );
}
