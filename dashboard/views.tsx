/** @jsxImportSource hono/jsx */
/**
 * The pages that are read.
 */
import type { Context, Hono } from "hono";
import type { Task } from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";
import { idOf } from "./forms.ts";
import { mask } from "./mask.ts";
import type { Services, Viewer } from "./options.ts";
import { Overview, readOverview } from "./pages/overview.tsx";
import { AgainForm, readTask, TaskView } from "./pages/task.tsx";
import { readTaskList, TaskList } from "./pages/tasks.tsx";
import { ConfirmAll, readMatching } from "./pages/confirm_all.tsx";
import { addOperatorViews } from "./operator_views.tsx";
import { isTaskAction } from "./bulk.ts";
import { filterOf } from "./task_filter.ts";
import { short } from "./text.ts";
import { addView } from "./view.ts";

/** Adds every page. */
export function addViews(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/",
    show: async (viewer) => {
      const seen = await readOverview(services);
      return {
        title: "Overview",
        isLive: true,
        children: <Overview seen={seen} viewer={viewer} />,
      };
    },
  });
  addTaskViews(app, services);
  addOperatorViews(app, services);
}

function addTaskViews(app: Hono, services: Services): void {
  const { prefix } = services;
  addView(app, services, {
    path: "/tasks",
    show: async (viewer, c) => {
      const filter = filterOf(new URL(c.req.url).searchParams);
      const named = filter.beforeId === undefined && await namedTask(services, filter.text);
      if (named) return c.redirect(`${prefix}/tasks/${named.id}`, 303);
      const seen = await readTaskList(services, filter, viewer);
      return { title: "Tasks", isLive: true, children: <TaskList seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/tasks/all",
    scope: "operate",
    show: async (viewer, c) => {
      const { searchParams } = new URL(c.req.url);
      const action = searchParams.get("action") ?? undefined;
      if (!isTaskAction(action)) throw new HttpError("NOT_FOUND", "Cannot find this action");
      const seen = await readMatching(services, action, filterOf(searchParams));
      return { title: "Are you sure?", children: <ConfirmAll seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/tasks/:id",
    show: async (viewer, c) => {
      const id = idOf(c.req.param("id"));
      const seen = await readTask(services, id, isUnmasked(viewer, c));
      if (seen === undefined) throw notThere(id);
      const title = `Task #${id}: ${short(seen.task.type, 80)}`;
      return { title, isLive: true, children: <TaskView seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/tasks/:id/again",
    scope: "enqueue",
    show: async (viewer, c) => {
      const task = await requireTask(services, c);
      const children = <AgainForm task={task} viewer={viewer} isUnmasked={isUnmasked(viewer, c)} />;
      return { title: "A new task", children };
    },
  });
  for (const part of ["payload", "result"] as const) {
    addView(app, services, {
      path: `/tasks/:id/${part}`,
      show: async (viewer, c) => {
        const task = await requireTask(services, c);
        const pattern = isUnmasked(viewer, c) ? /(?!)/ : services.maskedKeys;
        return c.json(mask(task[part], pattern).value ?? null);
      },
    });
  }
}

/** The one task that a text names: by its id or its run id. */
async function namedTask(
  { queue }: Services,
  text: string | undefined,
): Promise<Task | undefined> {
  if (text === undefined) return undefined;
  const id = /^#?([1-9]\d{0,14})$/.exec(text)?.[1];
  const byId = id === undefined ? undefined : await queue.get(Number(id));
  return byId ?? await queue.getByRunId(text);
}

async function requireTask({ queue }: Services, c: Context): Promise<Task> {
  const id = idOf(c.req.param("id"));
  const task = await queue.get(id);
  if (task === undefined) throw notThere(id);
  return task;
}

function notThere(id: number): HttpError {
  return new HttpError("TASK_NOT_FOUND", `Cannot find task ${id}`);
}

/** Whether secrets were asked for, by somebody who may see them. */
function isUnmasked(viewer: Viewer, c: Context): boolean {
  return c.req.query("unmask") === "1" && viewer.can("admin");
}
