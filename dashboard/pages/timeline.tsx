/** @jsxImportSource hono/jsx */
/**
 * The timeline of a task: waiting and running to scale. The table of its transitions says the same in words.
 */
import type { TaskTransition, TransitionKind } from "../../src/core.ts";
import { duration } from "../text.ts";
import type { Html } from "./parts.tsx";

const WIDTH = 720;

/** What a task does after a transition. */
const AFTER: Readonly<Record<TransitionKind, string | null>> = {
  enqueued: "wait",
  imported: "wait",
  retried: "wait",
  released: "wait",
  rescued: "wait",
  requeued: "wait",
  edited: "wait",
  leased: "run",
  completed: null,
  failed: null,
  cancelled: null,
  expired: null,
};

export function Timeline(
  { transitions: all, nowMs, isOver }: {
    readonly transitions: readonly TaskTransition[];
    readonly nowMs: number;
    readonly isOver: boolean;
  },
): Html {
  // one that was replaced after its end was over before
  const transitions = all.filter(({ changes }) => changes?.replaced_by === undefined);
  const first = transitions[0];
  if (first === undefined) return <p class="dim">Nothing is known of its past.</p>;
  const fromMs = first.at.getTime();
  const lastMs = transitions.at(-1)!.at.getTime();
  const spanMs = Math.max(1, (isOver ? lastMs : Math.max(nowMs, lastMs)) - fromMs);
  const x = (ms: number): number => Math.round((ms - fromMs) / spanMs * WIDTH * 10) / 10;
  return (
    <svg
      class="chart"
      viewBox={`0 0 ${WIDTH} 34`}
      role="img"
      aria-label={`Its life of ${duration(spanMs)}, to scale`}
    >
      {transitions.map((each, n) => {
        const kind = AFTER[each.kind];
        if (kind === null) {
          const mark = each.kind === "completed" ? "good" : "bad";
          return (
            <rect
              class={mark}
              x={Math.max(0, x(each.at.getTime()) - 3)}
              y="2"
              width="3"
              height="16"
            />
          );
        }
        const start = x(each.at.getTime());
        const next = transitions[n + 1];
        const end = next === undefined ? WIDTH : x(next.at.getTime());
        const name = kind === "run" ? `attempt ${each.attempt ?? "?"}` : "waiting";
        const lasts = (next?.at.getTime() ?? fromMs + spanMs) - each.at.getTime();
        return (
          <rect
            class={kind}
            x={start}
            y={kind === "run" ? 2 : 8}
            width={Math.max(0.6, end - start)}
            height={kind === "run" ? 16 : 5}
          >
            <title>{`${name}: ${duration(lasts)}`}</title>
          </rect>
        );
      })}
      <text x="0" y="31">{first.at.toISOString().slice(0, 19)}</text>
      <text x={WIDTH} y="31" text-anchor="end">
        {isOver ? "end" : "now"}, after {duration(spanMs)}
      </text>
    </svg>
  );
}
