/** @jsxImportSource hono/jsx */
/**
 * The page before an action on all tasks that match: how many, and which first.
 */
import type { Task } from "../../src/core.ts";
import { isOpenTo, type TaskAction } from "../bulk.ts";
import type { Services, Viewer } from "../options.ts";
import {
  countKept,
  countText,
  isCounted,
  queryOf,
  readTasks,
  type TaskFilter,
} from "../task_filter.ts";
import { type Html, Nothing, Status, TaskLink, Text } from "./parts.tsx";
import { Confirm } from "./small.tsx";

interface Seen {
  readonly action: TaskAction;
  readonly filter: TaskFilter;
  readonly count: string;
  /** The newest task that is meant: what comes later is not. */
  readonly upTo: number;
  readonly first: readonly Task[];
}

/** Statuses of which an action changes tasks. */
const OPEN = { cancel: ["queued", "leased"], retry: ["failed", "cancelled"] } as const;

/** Reads how many tasks an action would change. */
export async function readMatching(
  services: Services,
  action: TaskAction,
  filter: TaskFilter,
): Promise<Seen> {
  const { queue, app, maskedKeys } = services;
  const options = { nowMs: app.clock.nowMs(), maskedKeys, limit: isCounted(filter) ? 50 : 500 };
  const { tasks, nextBeforeId } = await readTasks(queue, filter, options);
  const matching = tasks.filter((task) => isOpenTo(action, task));
  const [newest] = await queue.list({ limit: 1 });
  return {
    ...{ action, filter, first: matching.slice(0, 10), upTo: newest?.id ?? 1 },
    count: isCounted(filter)
      ? await countOpen(services, action, filter)
      : `${matching.length}${nextBeforeId === null ? "" : " or more"}`,
  };
}

async function countOpen(
  services: Services,
  action: TaskAction,
  filter: TaskFilter,
): Promise<string> {
  let sum = 0;
  for (const status of OPEN[action]) {
    if (filter.status === undefined || filter.status === status) {
      sum += await countKept(services, { ...filter, status });
    }
  }
  return countText(sum);
}

export function ConfirmAll(
  { seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer },
): Html {
  const { action, filter, count, upTo, first } = seen;
  const query = String(queryOf(filter));
  if (first.length === 0 && count === "0") {
    return (
      <Nothing>
        No task that matches can be {action === "cancel" ? "cancelled" : "retried"}.
      </Nothing>
    );
  }
  const verb = action === "cancel" ? "Cancel" : "Retry";
  return (
    <Confirm
      viewer={viewer}
      path="/tasks/all"
      label={`${verb} ${count === "1" ? "1 task" : `${count} tasks`}`}
      fields={{ action, filter: query, up_to: String(upTo) }}
      back={`/tasks?${query}`}
      isGrave={action === "cancel"}
    >
      <p>
        {verb} all tasks that match: <strong>{count}</strong>, those up to #{upTo}.{" "}
        {action === "cancel" && "Who is running one is told to stop. Retry brings them back."}
      </p>
      <ul>
        {first.map((task) => (
          <li>
            <TaskLink id={task.id} viewer={viewer} /> <Text of={task.type} max={60} />{" "}
            <Status of={task.status} />
          </li>
        ))}
      </ul>
    </Confirm>
  );
}
