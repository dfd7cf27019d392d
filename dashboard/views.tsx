/** @jsxImportSource hono/jsx */
/**
 * The pages that are read.
 */
import type { Context, Hono } from "hono";
import type { Task } from "../src/core.ts";
import { requireScope } from "../server/http/access.ts";
import { requireTask, taskNotThere } from "./find_task.ts";
import { idOf } from "./forms.ts";
import { mask } from "./mask.ts";
import type { Services, Viewer } from "./options.ts";
import { overviewParts, readOverview, StillCounting } from "./pages/overview.tsx";
import {
  AgainForm,
  ConfirmRemove,
  EditForm,
  readTask,
  ReplaceForm,
  TaskView,
} from "./pages/task.tsx";
import { familyPartOf } from "./pages/family.tsx";
import { readTaskList, rowsOf, TaskList } from "./pages/tasks.tsx";
import { ConfirmAll, ConfirmChosen, readMatching } from "./pages/confirm_all.tsx";
import { addOperatorViews } from "./operator_views.tsx";
import { ACTIONS, checkAction, type TaskAction } from "./bulk.ts";
import { rendered } from "./rest.ts";
import { filterOf, PAGE_SIZE } from "./task_filter.ts";
import { short } from "./text.ts";
import { addView } from "./view.ts";

/** Adds every page. */
export function addViews(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/",
    show: async (viewer) => {
      const seen = await readOverview(services);
      if (seen === undefined) {
        return { title: "Overview", refreshS: 1, children: <StillCounting /> };
      }
      return {
        title: "Overview",
        isLive: true,
        children: await rendered(overviewParts(seen, viewer)),
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
      const isFirst = filter.beforeId === undefined && filter.cursor === undefined;
      const named = isFirst && await namedTask(services, filter.text);
      if (named) return c.redirect(`${prefix}/tasks/${named.id}`, 303);
      const seen = await readTaskList(services, filter, viewer);
      const rows = await rendered(rowsOf(seen, viewer));
      const children = <TaskList seen={seen} rows={rows} viewer={viewer} />;
      return { title: "Tasks", isLive: true, children };
    },
  });
  addView(app, services, {
    path: "/tasks/all",
    scope: "operate",
    show: async (viewer, c) => {
      const { searchParams } = new URL(c.req.url);
      const action = actionOf(searchParams, c);
      const seen = await readMatching(services, action, filterOf(searchParams));
      return { title: "Are you sure?", children: <ConfirmAll seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/tasks/chosen",
    scope: "operate",
    show: async (viewer, c) => {
      const { searchParams } = new URL(c.req.url);
      const action = actionOf(searchParams, c);
      const ids = searchParams.getAll("id").slice(0, PAGE_SIZE).map(idOf);
      const tasks = (await Promise.all(ids.map((id) => services.queue.get(id))))
        .filter((task) => task !== undefined);
      const children = <ConfirmChosen action={action} tasks={tasks} viewer={viewer} />;
      return { title: "Are you sure?", children };
    },
  });
  addTaskView(app, services);
  addEditViews(app, services);
}

/** What a page asks about. @throws HttpError also when the caller may not do it. */
function actionOf(query: URLSearchParams, c: Context): TaskAction {
  const action = checkAction(query.get("action") ?? undefined);
  requireScope(c, ACTIONS[action].scope);
  return action;
}

function addTaskView(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/tasks/:id",
    show: async (viewer, c) => {
      const id = idOf(c.req.param("id"));
      const part = familyPartOf(new URL(c.req.url).searchParams);
      const seen = await readTask(services, id, { isUnmasked: isUnmasked(viewer, c), part });
      if (seen === undefined) throw taskNotThere(id);
      const title = `Task #${id}: ${short(seen.task.type, 80)}`;
      return { title, isLive: true, children: <TaskView seen={seen} viewer={viewer} /> };
    },
  });
  for (const part of ["payload", "result"] as const) {
    addView(app, services, {
      path: `/tasks/:id/${part}`,
      show: async (viewer, c) => {
        const task = await requireTask(services.queue, idOf(c.req.param("id")));
        const pattern = isUnmasked(viewer, c) ? /(?!)/ : services.maskedKeys;
        return c.json(mask(task[part], pattern).value ?? null);
      },
    });
  }
}

/** The forms that change a task. */
function addEditViews(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/tasks/:id/edit",
    scope: "operate",
    show: async (viewer, c) => {
      const task = await requireTask(services.queue, idOf(c.req.param("id")));
      return {
        title: `Change task #${task.id}`,
        children: <EditForm task={task} viewer={viewer} />,
      };
    },
  });
  addView(app, services, {
    path: "/tasks/:id/replace",
    scope: "operate",
    show: async (viewer, c) => {
      const task = await requireTask(services.queue, idOf(c.req.param("id")));
      const isSeen = isUnmasked(viewer, c);
      const children = <ReplaceForm task={task} viewer={viewer} isUnmasked={isSeen} />;
      return { title: `Replace task #${task.id}`, children };
    },
  });
  addView(app, services, {
    path: "/tasks/:id/remove",
    scope: "admin",
    show: async (viewer, c) => {
      const task = await requireTask(services.queue, idOf(c.req.param("id")));
      const children = <ConfirmRemove task={task} viewer={viewer} />;
      return { title: "Are you sure?", children };
    },
  });
  addView(app, services, {
    path: "/tasks/:id/again",
    scope: "enqueue",
    show: async (viewer, c) => {
      const task = await requireTask(services.queue, idOf(c.req.param("id")));
      const children = <AgainForm task={task} viewer={viewer} isUnmasked={isUnmasked(viewer, c)} />;
      return { title: "A new task", children };
    },
  });
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

/** Whether secrets were asked for, by somebody who may see them. */
function isUnmasked(viewer: Viewer, c: Context): boolean {
  return c.req.query("unmask") === "1" && viewer.can("admin");
}
