/** @jsxImportSource hono/jsx */
/**
 * Workers: how they are, what they can do, and what each runs.
 */
import type { Task, WorkerRecord } from "../../src/core.ts";
import type { Services, Viewer } from "../options.ts";
import { type Html, Nothing, Table, TaskLink, Text, Time } from "./parts.tsx";

/** So many running tasks are looked at for who runs them. */
const RUNNING_MAX = 200;

/** So many workers, types of a worker, and tasks of a worker are shown. */
const WORKERS_MAX = 200;
const TYPES_MAX = 12;
const TASKS_MAX = 10;

interface Seen {
  readonly workers: readonly WorkerRecord[];
  readonly running: readonly Pick<Task, "id" | "lockedBy">[];
}

/** Reads the workers. */
export async function readWorkers({ queue, kept }: Services): Promise<Seen> {
  return await kept.get("workers", async () => {
    const tasks = await queue.list({ status: "leased", limit: RUNNING_MAX });
    return {
      workers: await queue.listWorkers(),
      running: tasks.map(({ id, lockedBy }) => ({ id, lockedBy })),
    };
  });
}

const SHAPES = { active: "●", limbo: "◐", stale: "✕" } as const;

export function Workers({ seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer }): Html {
  const { workers, running } = seen;
  if (workers.length === 0) {
    return (
      <Nothing>
        No worker has been heard of for a day. <code>holdfast worker --handlers FILE</code>{" "}
        begins one.
      </Nothing>
    );
  }
  return (
    <>
      <p class="dim" data-say={`${workers.length} workers`}>
        {workers.length} workers{workers.length > WORKERS_MAX && `, ${WORKERS_MAX} of them here`}
      </p>
      <Table
        label="Workers"
        head={[
          "worker",
          "state",
          "heard of",
          "since",
          "slots",
          "runs",
          "order",
          "version",
          "types",
          "capabilities",
        ]}
      >
        {workers.slice(0, WORKERS_MAX).map((worker) => (
          <Row worker={worker} running={running} viewer={viewer} />
        ))}
      </Table>
    </>
  );
}

function Row(
  { worker, running, viewer }: {
    readonly worker: WorkerRecord;
    readonly running: Seen["running"];
    readonly viewer: Viewer;
  },
): Html {
  const { workerId, state, types, capabilities } = worker;
  const own = running.filter(({ lockedBy }) => lockedBy === workerId).slice(0, TASKS_MAX);
  return (
    <tr>
      <td>
        <Text of={workerId} max={60} />
      </td>
      <td>
        <span aria-hidden="true">{SHAPES[state]}</span> {state}
      </td>
      <td>
        <Time at={worker.heartbeatAt} nowMs={viewer.nowMs} />
      </td>
      <td>
        <Time at={worker.startedAt} nowMs={viewer.nowMs} />
      </td>
      <td>{worker.slotsInUse} of {worker.concurrency}</td>
      <td>
        {own.map(({ id }) => (
          <>
            <TaskLink id={id} viewer={viewer} />
            {" "}
          </>
        ))}
        {worker.leasedTasks > own.length && `${worker.leasedTasks} in all`}
        {worker.leasedTasks === 0 && "–"}
      </td>
      <td>{worker.strategy}</td>
      <td>
        {worker.version === null ? "unknown" : <Text of={worker.version} max={60} />}
        {worker.runtime !== null && (
          <span class="dim">
            {" on "}
            <Text of={worker.runtime} max={60} />
          </span>
        )}
      </td>
      <td>
        <Text of={types.slice(0, TYPES_MAX).join(", ")} max={300} />
        {types.length > TYPES_MAX && ` and ${types.length - TYPES_MAX} more`}
      </td>
      <td>
        <Text of={JSON.stringify(capabilities)} max={200} />
      </td>
    </tr>
  );
}
