/** @jsxImportSource hono/jsx */
/**
 * The pages before an action on several tasks: how many, and which first.
 */
import { BULK_STATUSES, type Task } from "../../src/core.ts";
import { ACTIONS, isOpenTo, type TaskAction } from "../bulk.ts";
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
import { Confirm, PriorityField, TimeField } from "./small.tsx";

interface Seen {
  readonly action: TaskAction;
  readonly filter: TaskFilter;
  readonly count: string;
  /** The newest task that is meant: what comes later is not. */
  readonly upTo: number;
  readonly first: readonly Task[];
}

/** Reads how many tasks an action would change. */
export async function readMatching(
  services: Services,
  action: TaskAction,
  filter: TaskFilter,
): Promise<Seen> {
  const { queue, app, maskedKeys } = services;
  const options = { nowMs: app.clock.nowMs(), maskedKeys, limit: isCounted(filter) ? 50 : 500 };
  const { tasks, next } = await readTasks(queue, filter, options);
  const matching = tasks.filter((task) => isOpenTo(action, task));
  const [newest] = await queue.list({ limit: 1 });
  return {
    ...{ action, filter, first: matching.slice(0, 10), upTo: newest?.id ?? 1 },
    count: isCounted(filter)
      ? await countOpen(services, action, filter)
      : `${matching.length}${next === null ? "" : " or more"}`,
  };
}

async function countOpen(
  services: Services,
  action: TaskAction,
  filter: TaskFilter,
): Promise<string> {
  let sum = 0;
  for (const status of BULK_STATUSES[ACTIONS[action].bulk]) {
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
    return <Nothing>No task that matches can be changed so.</Nothing>;
  }
  const { verb, isGrave } = ACTIONS[action];
  return (
    <Confirm
      viewer={viewer}
      path="/tasks/all"
      label={`${verb} ${count === "1" ? "1 task" : `${count} tasks`}`}
      fields={{ action, filter: query, up_to: String(upTo) }}
      back={`/tasks?${query}`}
      isGrave={isGrave}
    >
      <p>
        {verb} all tasks that match: <strong>{count}</strong>, those up to #{upTo}. {hintOf(action)}
      </p>
      <TaskNames tasks={first} viewer={viewer} />
      <ActionFields action={action} />
    </Confirm>
  );
}

/** Asks before, or how, an action is done to the tasks that were chosen. */
export function ConfirmChosen(
  { action, tasks, viewer }: {
    readonly action: TaskAction;
    readonly tasks: readonly Task[];
    readonly viewer: Viewer;
  },
): Html {
  const open = tasks.filter((task) => isOpenTo(action, task));
  if (open.length === 0) return <Nothing>None of these tasks can be changed so.</Nothing>;
  const { verb, isGrave } = ACTIONS[action];
  return (
    <Confirm
      viewer={viewer}
      path="/tasks/selected"
      label={`${verb} ${open.length === 1 ? "1 task" : `${open.length} tasks`}`}
      fields={{ action, back: "/tasks" }}
      back="/tasks"
      isGrave={isGrave}
    >
      <p>{hintOf(action)}</p>
      <TaskNames tasks={open} viewer={viewer} />
      {open.map(({ id }) => <input type="hidden" name="id" value={id} />)}
      <ActionFields action={action} />
    </Confirm>
  );
}

function hintOf(action: TaskAction): string {
  if (action === "cancel") return "Who is running one is told to stop. Retry brings them back.";
  if (action !== "remove") return "";
  return "They go for good, with their logs; those that others wait for, and what is not finished, stay.";
}

/** The fields that an action needs. */
function ActionFields({ action }: { readonly action: TaskAction }): Html | null {
  if (action === "set_priority") return <PriorityField priority={100} />;
  return action === "reschedule" ? <TimeField label="Not before" isRequired /> : null;
}

function TaskNames(
  { tasks, viewer }: { readonly tasks: readonly Task[]; readonly viewer: Viewer },
): Html {
  return (
    <ul>
      {tasks.map((task) => (
        <li>
          <TaskLink id={task.id} viewer={viewer} /> <Text of={task.type} max={60} />{" "}
          <Status of={task.status} />
        </li>
      ))}
    </ul>
  );
}
