/** @jsxImportSource hono/jsx */
/**
 * The list of tasks: its filter is the URL, its pages follow each other by a cursor.
 */
import type { Child } from "hono/jsx";
import { type Task, TASK_STATUSES } from "../../src/core.ts";
import type { TaskAction } from "../bulk.ts";
import type { Services, Viewer } from "../options.ts";
import {
  AGES,
  countKept,
  countText,
  isCounted,
  queryOf,
  readTasks,
  type TaskFilter,
  type TaskPage,
} from "../task_filter.ts";
import { count as numberText } from "../text.ts";
import { type Html, Nothing, Status, TaskLink, TasksLink, Text, Time } from "./parts.tsx";

interface Seen extends TaskPage {
  readonly filter: TaskFilter;
  /** How many match; `undefined` when that is not known. */
  readonly count: number | undefined;
}

/** Reads one page of tasks. */
export async function readTaskList(
  services: Services,
  filter: TaskFilter,
  viewer: Viewer,
): Promise<Seen> {
  const page = await readTasks(services.queue, filter, viewer);
  const count = isCounted(filter) ? await countKept(services, filter) : undefined;
  return { ...page, filter, count };
}

/** The rows of the page's table. */
export function rowsOf({ tasks }: Seen, viewer: Viewer): Html[] {
  const canSelect = viewer.can("operate");
  return tasks.map((task) => <Row task={task} viewer={viewer} canSelect={canSelect} />);
}

export function TaskList(
  { seen, rows, viewer }: {
    readonly seen: Seen;
    /** What `rowsOf` gives, rendered. */
    readonly rows: readonly Child[];
    readonly viewer: Viewer;
  },
): Html {
  const { filter, count, next } = seen;
  const isFurther = filter.beforeId !== undefined || filter.cursor !== undefined;
  const toTasks = (of: TaskFilter): string => `${viewer.prefix}/tasks?${queryOf(of)}`;
  const newest = { ...filter, beforeId: undefined, cursor: undefined };
  return (
    <>
      <FilterForm filter={filter} viewer={viewer} />
      <p class="dim" data-say={count === undefined ? undefined : `${countText(count)} tasks`}>
        {count === undefined ? foundText(seen) : `${countText(count)} tasks`}
        {filter.beforeId !== undefined && `, those before #${filter.beforeId}`}
      </p>
      {rows.length === 0
        ? <Nothing>No task here matches.</Nothing>
        : <Rows rows={rows} viewer={viewer} />}
      {viewer.can("operate") && <ForAll filter={filter} viewer={viewer} />}
      <p>
        {isFurther && (
          <>
            <a href={toTasks(newest)}>Newest</a>
            {" "}
          </>
        )}
        {next !== null && (
          <a rel="next" href={toTasks({ ...filter, ...next })}>
            {isCounted(filter) ? "Older" : "Search further"}
          </a>
        )}
      </p>
    </>
  );
}

/** How far it was searched; a text, by its cursor, over all pages so far. */
function foundText({ tasks, filter, searched, leftMax, next }: Seen): string {
  const found = `${tasks.length} found`;
  if (filter.text === undefined) return `${found} among ${searched} tasks`;
  const far = numberText(searched);
  return next === null
    ? `${found}, searched all ${far} tasks`
    : `${found}, searched ${far} of ${numberText(searched + leftMax)} tasks at most`;
}

function FilterForm(
  { filter, viewer }: { readonly filter: TaskFilter; readonly viewer: Viewer },
): Html {
  return (
    <form class="filter" role="search" action={`${viewer.prefix}/tasks`}>
      <label>
        Status
        <select name="status">
          <option value="">any</option>
          {TASK_STATUSES.map((status) => (
            <option value={status} selected={filter.status === status}>{status}</option>
          ))}
        </select>
      </label>
      <label>
        Type<input name="type" value={filter.type ?? ""} maxlength={200} />
      </label>
      <label>
        Group<input name="group" value={filter.group ?? ""} maxlength={200} />
      </label>
      <label>
        Tag<input name="tag" value={filter.tag ?? ""} maxlength={100} />
      </label>
      <label>
        Older than
        <select name="age">
          <option value="">any age</option>
          {Object.entries(AGES).map(([name, ms]) => (
            <option value={name} selected={filter.olderThanMs === ms}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        Text or id
        <input type="search" name="q" value={filter.text ?? ""} maxlength={200} />
      </label>
      <button type="submit">Show</button>
    </form>
  );
}

const HEAD = ["task", "type", "status", "attempts", "changed", "what became of it"];

function Rows(
  { rows, viewer }: { readonly rows: readonly Child[]; readonly viewer: Viewer },
): Html {
  const canSelect = viewer.can("operate");
  return (
    <form method="post" action={`${viewer.prefix}/tasks/selected`}>
      <input type="hidden" name="back" value={viewer.here} />
      <div class="scroll" role="region" aria-label="Tasks" tabindex={0}>
        <table>
          <thead>
            <tr>
              {canSelect && <th scope="col">select</th>}
              {HEAD.map((title) => <th scope="col">{title}</th>)}
            </tr>
          </thead>
          <tbody>{rows}</tbody>
        </table>
      </div>
      {canSelect && (
        <p class="bar">
          <span id="all" hidden>
            <input type="checkbox" id="all-rows" aria-label="Select all on this page" />{" "}
            all on this page
          </span>
          <button type="submit" name="action" value="retry">Retry selected</button>
          <button type="submit" name="action" value="run_now">Run selected now</button>
          <button type="submit" name="action" value="cancel" class="grave">Cancel selected</button>
          <ToConfirm viewer={viewer} action="set_priority" label="Priority of selected…" />
          <ToConfirm viewer={viewer} action="reschedule" label="Time of selected…" />
          {viewer.can("admin") && (
            <ToConfirm viewer={viewer} action="remove" label="Delete selected…" />
          )}
        </p>
      )}
    </form>
  );
}

/** Leads with the selection to the page that asks for more. */
function ToConfirm(
  { viewer, action, label }: {
    readonly viewer: Viewer;
    readonly action: TaskAction;
    readonly label: string;
  },
): Html {
  return (
    <button
      type="submit"
      formmethod="get"
      formaction={`${viewer.prefix}/tasks/chosen`}
      name="action"
      value={action}
    >
      {label}
    </button>
  );
}

function Row(
  { task, viewer, canSelect }: {
    readonly task: Task;
    readonly viewer: Viewer;
    readonly canSelect: boolean;
  },
): Html {
  return (
    <tr data-task={task.id}>
      {canSelect && (
        <td>
          <input type="checkbox" name="id" value={task.id} aria-label={`Select task ${task.id}`} />
        </td>
      )}
      <td>
        <TaskLink id={task.id} viewer={viewer} />
      </td>
      <td>
        <TasksLink viewer={viewer} filter={{ type: task.type }}>
          <Text of={task.type} max={60} />
        </TasksLink>
      </td>
      <td>
        <Status of={task.status} />
      </td>
      <td>{task.attempts} of {task.maxAttempts}</td>
      <td>
        <Time at={task.updatedAt} nowMs={viewer.nowMs} />
      </td>
      <td>
        <Outcome task={task} viewer={viewer} />
      </td>
    </tr>
  );
}

function Outcome({ task, viewer }: { readonly task: Task; readonly viewer: Viewer }): Html {
  if (task.status === "leased") {
    return (
      <>
        on <Text of={task.lockedBy ?? ""} max={60} />
        {task.progress !== null && `, ${task.progress} %`}
      </>
    );
  }
  if (task.status === "queued" && task.waitsFor > 0) return <>waits for {task.waitsFor} parents</>;
  if (task.status === "queued" && task.runAfter.getTime() > viewer.nowMs) {
    return (
      <>
        runs <Time at={task.runAfter} nowMs={viewer.nowMs} />
      </>
    );
  }
  return <Text of={task.errorMessage ?? ""} max={120} />;
}

/** Leads to the page that shows how many would be changed. */
function ForAll(
  { filter, viewer }: { readonly filter: TaskFilter; readonly viewer: Viewer },
): Html {
  const to = (action: string): string =>
    `${viewer.prefix}/tasks/all?${new URLSearchParams({
      ...Object.fromEntries(queryOf({ ...filter, beforeId: undefined, cursor: undefined })),
      action,
    })}`;
  return (
    <p>
      All that match: <a href={to("retry")}>retry…</a> <a href={to("cancel")}>cancel…</a>{" "}
      <a href={to("run_now")}>run now…</a> <a href={to("set_priority")}>priority…</a>{" "}
      <a href={to("reschedule")}>time…</a>{" "}
      {viewer.can("admin") && <a href={to("remove")}>delete…</a>}
    </p>
  );
}
