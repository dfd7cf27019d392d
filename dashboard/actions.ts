/**
 * What the dashboard does: each action is a form that was sent, needs the scope that the HTTP API asks for the same, and leads back
 * to a page that says what became of it.
 */
import type { Hono } from "hono";
import { toNewTask } from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";
import { enqueueOneChecked } from "../server/tasks/enqueue.ts";
import { addAction, type Done } from "./action.ts";
import { actOnAll, actOnEach, isTaskAction, type TaskAction } from "./bulk.ts";
import { formOf, idOf } from "./forms.ts";
import { sentPayload } from "./module_form.ts";
import { payloadOf, priorityOf } from "./new_task.ts";
import type { Services } from "./options.ts";
import { addQueueActions } from "./queue_actions.ts";
import { filterOf } from "./task_filter.ts";

/** Adds every action. */
export function addActions(app: Hono, services: Services): void {
  const { queue, app: options } = services;
  for (const action of ["cancel", "retry"] as const) {
    addAction(app, services, {
      path: `/tasks/${action}`,
      scope: "operate",
      act: async ({ id }) => doneOf(action, await actOnEach(queue, action, [idOf(id)])),
    });
  }
  addAction(app, services, {
    path: "/tasks/selected",
    scope: "operate",
    act: async ({ action }, c) => {
      const ids = (await formOf(c)).getAll("id").map(idOf);
      const checked = checkAction(action);
      return doneOf(checked, await actOnEach(queue, checked, ids));
    },
  });
  addAction(app, services, {
    path: "/tasks/all",
    scope: "operate",
    act: async ({ action, filter = "", up_to: upTo }) => {
      const checked = checkAction(action);
      const given = { ...filterOf(new URLSearchParams(filter)), beforeId: idOf(upTo) + 1 };
      const { changed, hasMore } = await actOnAll(services, checked, given);
      const to = `/tasks?${filter}`;
      return { ...doneOf(checked, changed), to, left: hasMore ? "1+" : undefined };
    },
  });
  addAction(app, services, {
    path: "/tasks/new",
    scope: "enqueue",
    act: async ({ type = "", payload = "", priority, run_after: runAfter }) => {
      const task = {
        ...toNewTask({
          priority: priority ? priorityOf(priority) : undefined,
          run_after: runAfter?.trim() || undefined,
        }),
        type,
        payload: payloadOf(payload),
      };
      const { task: stored } = await enqueueOneChecked(task, {
        ...options,
        payloadField: "payload",
      });
      return { did: "created", to: `/tasks/${stored.id}` };
    },
  });
  addAction(app, services, {
    path: "/run",
    scope: "enqueue",
    act: async (fields) => {
      const entry = options.handlers.get(fields.module ?? "");
      if (entry === undefined) throw new HttpError("NOT_FOUND", "Cannot find this module");
      const priority = fields.priority ? priorityOf(fields.priority) : undefined;
      const task = { type: entry.type, payload: sentPayload(entry, fields), priority };
      const { task: stored } = await enqueueOneChecked(task, {
        ...options,
        payloadField: "payload",
      });
      return { did: "created", to: `/tasks/${stored.id}` };
    },
  });
  addQueueActions(app, services);
}

function checkAction(action: string | undefined): TaskAction {
  if (isTaskAction(action)) return action;
  throw new HttpError(
    "VALIDATION_ERROR",
    `Cannot do ${JSON.stringify(action ?? null)}: choose cancel or retry`,
  );
}

function doneOf(action: TaskAction, changed: number): Done {
  if (changed === 0) return { did: "unchanged" };
  return { did: action === "cancel" ? "cancelled" : "retried", n: changed };
}
