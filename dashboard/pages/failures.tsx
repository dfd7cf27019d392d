/** @jsxImportSource hono/jsx */
/**
 * Failures, grouped by their causes.
 */
import { type FailureGroup, FailureGroups } from "../failure_groups.ts";
import type { Services, Viewer } from "../options.ts";
import { rest } from "../rest.ts";
import { count } from "../text.ts";
import { type Html, Nothing, Table, TaskLink, TasksLink, Text, Time } from "./parts.tsx";

/** So many of the latest failed tasks are looked at, in steps, so that other work goes on between. */
const LOOKED_AT_MAX = 2000;
const STEP = 50;

/** So many groups are shown. */
const GROUPS_MAX = 100;

/** Bars of a trend. */
const BARS = 20;

interface Seen {
  readonly groups: readonly FailureGroup[];
  readonly looked: number;
  readonly hasMore: boolean;
}

/** Reads the latest failures. */
export async function readFailures({ queue, kept }: Services): Promise<Seen> {
  return await kept.get("failures", async () => {
    const groups = new FailureGroups();
    let beforeId: number | undefined;
    while (groups.count < LOOKED_AT_MAX) {
      const part = await queue.list({ status: "failed", beforeId, limit: STEP });
      if (part.length === 0) break;
      await rest();
      groups.add(part);
      beforeId = part.at(-1)!.id;
      await rest();
    }
    const looked = groups.count;
    return { groups: groups.sorted(), looked, hasMore: looked >= LOOKED_AT_MAX };
  });
}

export function Failures({ seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer }): Html {
  const { groups, looked, hasMore } = seen;
  if (looked === 0) return <Nothing>No task has failed for good.</Nothing>;
  return (
    <>
      <p class="dim" data-say={`${groups.length} kinds of failures`}>
        {`${count(groups.length)} kinds among the ${hasMore ? "latest " : ""}${
          count(looked)
        } failed tasks. `}
        Numbers, ids, addresses and quoted texts are left out of messages to find those that are the
        same.
      </p>
      <Table
        label="Failures"
        head={["count", "type", "message", "last", "first", "trend", "sample"]}
      >
        {groups.slice(0, GROUPS_MAX).map((group) => <Row group={group} viewer={viewer} />)}
      </Table>
    </>
  );
}

function Row({ group, viewer }: { readonly group: FailureGroup; readonly viewer: Viewer }): Html {
  const { type, message, sample, firstAt, lastAt } = group;
  return (
    <tr data-task={sample.id}>
      <td>{count(group.count)}</td>
      <td>
        <TasksLink viewer={viewer} filter={{ status: "failed", type }}>
          <Text of={type} max={60} />
        </TasksLink>
      </td>
      <td>
        <Text of={message} max={300} />
      </td>
      <td>
        <Time at={lastAt} nowMs={viewer.nowMs} />
      </td>
      <td>
        <Time at={firstAt} nowMs={viewer.nowMs} />
      </td>
      <td>
        <Trend group={group} nowMs={viewer.nowMs} />
      </td>
      <td>
        <TaskLink id={sample.id} viewer={viewer} />
      </td>
    </tr>
  );
}

/** When they came, from the first until now. */
function Trend({ group, nowMs }: { readonly group: FailureGroup; readonly nowMs: number }): Html {
  const fromMs = group.firstAt.getTime();
  const spanMs = Math.max(1, nowMs - fromMs);
  const bars = new Array<number>(BARS).fill(0);
  for (const atMs of group.timesMs) {
    const n = Math.floor((atMs - fromMs) / spanMs * BARS);
    bars[Math.min(BARS - 1, Math.max(0, n))]!++;
  }
  const most = Math.max(...bars);
  return (
    <svg
      width="80"
      height="20"
      viewBox="0 0 80 20"
      role="img"
      aria-label={`at most ${most} in a twentieth of the time since the first; ${
        bars.at(-1)
      } lately`}
    >
      {bars.map((n, x) => n === 0
        ? ""
        : <rect class="bad" x={x * 4} y={20 - n / most * 20} width="3" height={n / most * 20} />
      )}
    </svg>
  );
}
