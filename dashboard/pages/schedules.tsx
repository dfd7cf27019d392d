/** @jsxImportSource hono/jsx */
/**
 * Schedules: when they fire, in words and as instants, and what became of the last runs.
 */
import type { Schedule, ScheduleRun, TaskQueue } from "../../src/core.ts";
import { asInput } from "../../server/http/errors.ts";
import { nextInstants, scheduleWords } from "../cron_words.ts";
import type { Services, Viewer } from "../options.ts";
import { count } from "../text.ts";
import {
  Action,
  type Html,
  Nothing,
  Status,
  Table,
  TaskLink,
  TasksLink,
  Text,
  Time,
} from "./parts.tsx";
import { Confirm } from "./small.tsx";

const PAGE_SIZE = 50;

/** So many runs of a schedule are shown. */
const RUNS_MAX = 5;

type Run = Pick<ScheduleRun, "taskId" | "status" | "at">;

interface Seen {
  readonly schedules: readonly Schedule[];
  /** The latest runs of each, the latest first. */
  readonly runs: readonly (readonly Run[])[];
  readonly hasMore: boolean;
}

/** Reads a page of schedules. */
export async function readSchedules(
  { queue }: Services,
  afterId: string | undefined,
): Promise<Seen> {
  const request = { afterId: afterId || undefined, limit: PAGE_SIZE + 1 };
  const found = await asInput(() => queue.listSchedules(request));
  const schedules = found.slice(0, PAGE_SIZE);
  const runs = await Promise.all(schedules.map((schedule) => readRuns(queue, schedule)));
  return { schedules, runs, hasMore: found.length > schedules.length };
}

/** The latest runs; the last task is among them, also where its instant had one already. */
async function readRuns(queue: TaskQueue, { id, lastTaskId }: Schedule): Promise<readonly Run[]> {
  const runs = await queue.scheduleRuns(id, { limit: RUNS_MAX });
  if (lastTaskId === null || runs.some(({ taskId }) => taskId === lastTaskId)) return runs;
  const last = await queue.get(lastTaskId);
  if (last === undefined) return runs;
  return [{ taskId: last.id, status: last.status, at: last.createdAt }, ...runs].slice(0, RUNS_MAX);
}

export function Schedules(
  { seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer },
): Html {
  const { schedules, runs, hasMore } = seen;
  if (schedules.length === 0) {
    return (
      <Nothing>
        There is no schedule. <code>holdfast schedule add nightly report --cron "0 3 * * *"</code>
        {" "}
        adds one.
      </Nothing>
    );
  }
  return (
    <>
      <Table
        label="Schedules"
        head={["schedule", "type", "fires", "next", "last runs", "fired", "actions"]}
      >
        {schedules.map((schedule, place) => (
          <Row schedule={schedule} runs={runs[place]!} viewer={viewer} />
        ))}
      </Table>
      {hasMore && (
        <p>
          <a
            href={`${viewer.prefix}/schedules?${new URLSearchParams({
              after: schedules.at(-1)!.id,
            })}`}
          >
            More
          </a>
        </p>
      )}
    </>
  );
}

function Row(
  { schedule, runs, viewer }: {
    readonly schedule: Schedule;
    readonly runs: readonly Run[];
    readonly viewer: Viewer;
  },
): Html {
  const { id, type, cron, paused } = schedule;
  const [next, ...later] = nextInstants(schedule, viewer.nowMs);
  return (
    <tr>
      <td>
        <Text of={id} max={60} />
      </td>
      <td>
        <TasksLink viewer={viewer} filter={{ type }}>
          <Text of={type} max={60} />
        </TasksLink>
      </td>
      <td>
        <Text of={scheduleWords(schedule)} />
        {cron !== null && (
          <>
            <br />
            <code class="dim">
              <Text of={cron} />
            </code>
          </>
        )}
      </td>
      <td>
        {paused && "paused"}
        {!paused && next === undefined && (schedule.waitsForTaskId === null ? "never" : (
          <>
            after <TaskLink id={schedule.waitsForTaskId} viewer={viewer} />
          </>
        ))}
        {next !== undefined && (
          <details>
            <summary>
              <Time at={next} nowMs={viewer.nowMs} />
            </summary>
            {later.map((at) => (
              <div>
                <Time at={at} nowMs={viewer.nowMs} />{" "}
                <span class="dim">{at.toISOString().slice(0, 16)}Z</span>
              </div>
            ))}
          </details>
        )}
      </td>
      <td>
        {runs.length === 0 && <Time at={schedule.lastFiredAt} nowMs={viewer.nowMs} />}
        {runs.map(({ taskId, status, at }) => (
          <div>
            <Time at={at} nowMs={viewer.nowMs} /> <TaskLink id={taskId} viewer={viewer} />{" "}
            <Status of={status} />
          </div>
        ))}
      </td>
      <td>{count(schedule.firings)}</td>
      <td>
        <Buttons schedule={schedule} viewer={viewer} />
      </td>
    </tr>
  );
}

function Buttons(
  { schedule, viewer }: { readonly schedule: Schedule; readonly viewer: Viewer },
): Html | null {
  const { id, paused } = schedule;
  const act = (path: string, label: string): Html => (
    <Action
      viewer={viewer}
      path={`/schedules/${path}`}
      label={label}
      title={`${label} ${id}`}
      fields={{ id }}
    />
  );
  if (!viewer.can("operate")) return null;
  return (
    <div class="bar">
      {paused ? act("resume", "Resume") : act("pause", "Pause")}
      {act("run", "Run now")}
      <a href={`${viewer.prefix}/schedules/remove?${new URLSearchParams({ id })}`}>Remove…</a>
    </div>
  );
}

/** Asks before a schedule is removed. */
export function ConfirmRemoval(
  { id, viewer }: { readonly id: string; readonly viewer: Viewer },
): Html {
  return (
    <Confirm
      viewer={viewer}
      path="/schedules/remove"
      label="Remove it for good"
      fields={{ id }}
      back="/schedules"
    >
      <p>
        The schedule{" "}
        <strong>
          <Text of={id} />
        </strong>{" "}
        fires no more. What it has enqueued stays. It does not come back by itself.
      </p>
    </Confirm>
  );
}
