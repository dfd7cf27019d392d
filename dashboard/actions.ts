/**
 * What the dashboard does: each action is a form that was sent, needs the scope that the HTTP API asks for the same, and leads back
 * to a page that says what became of it.
 */
import type { Context, Hono } from "hono";
import { toNewTask } from "../src/core.ts";
import { requireScope } from "../server/http/access.ts";
import { HttpError } from "../server/http/errors.ts";
import { checkPayloads, enqueueOneChecked } from "../server/tasks/enqueue.ts";
import { addAction, type Done, nameOf } from "./action.ts";
import {
  type Acted,
  type Acting,
  type ActionFields,
  ACTIONS,
  actOnAll,
  actOnEach,
  actOnOne,
  checkAction,
  type TaskAction,
} from "./bulk.ts";
import { requireTask } from "./find_task.ts";
import { formOf, idOf } from "./forms.ts";
import { sentPayload } from "./module_form.ts";
import { editOf, payloadOf, priorityOf } from "./new_task.ts";
import type { Services } from "./options.ts";
import { addQueueActions } from "./queue_actions.ts";
import { filterOf } from "./task_filter.ts";

/** Adds every action. */
export function addActions(app: Hono, services: Services): void {
  const { app: options } = services;
  addTaskActions(app, services);
  addEditActions(app, services);
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

/** Actions on one task, on a selection, and on all that match. */
function addTaskActions(app: Hono, services: Services): void {
  const { queue } = services;
  for (const action of ["cancel", "retry", "run_now", "remove"] as const) {
    addAction(app, services, {
      path: `/tasks/${action}`,
      scope: ACTIONS[action].scope,
      act: async (fields, c) => {
        const acting = { action, fields, by: nameOf(c) };
        const isChanged = await actOnOne(queue, acting, idOf(fields.id));
        const done = doneOf(action, { changed: Number(isChanged), hasMore: false });
        return action === "remove" ? { ...done, to: "/tasks" } : done;
      },
    });
  }
  addAction(app, services, {
    path: "/tasks/selected",
    scope: "operate",
    act: async (fields, c) => {
      const acting = actingOf(fields, c);
      const ids = (await formOf(c)).getAll("id").map(idOf);
      return doneOf(acting.action, await actOnEach(queue, acting, ids));
    },
  });
  addAction(app, services, {
    path: "/tasks/all",
    scope: "operate",
    act: async (fields, c) => {
      const acting = actingOf(fields, c);
      const { filter = "", up_to: upTo } = fields;
      const given = { filter: filterOf(new URLSearchParams(filter)), upToId: idOf(upTo) };
      return {
        ...doneOf(acting.action, await actOnAll(services, acting, given)),
        to: `/tasks?${filter}`,
      };
    },
  });
}

/** What a form says of an action on several tasks. @throws HttpError also when the caller may not do it. */
function actingOf(fields: ActionFields, c: Context): Acting {
  const action = checkAction(fields.action);
  requireScope(c, ACTIONS[action].scope);
  return { action, fields, by: nameOf(c) };
}

function doneOf(action: TaskAction, { changed, hasMore }: Acted): Done {
  const left = hasMore ? "1+" : undefined;
  return changed === 0 && !hasMore
    ? { did: "unchanged" }
    : { did: ACTIONS[action].did, n: changed, left };
}

/** Actions by a form with fields of its own. */
function addEditActions(app: Hono, services: Services): void {
  const { queue } = services;
  addAction(app, services, {
    path: "/tasks/edit",
    scope: "operate",
    act: async (fields, c) => {
      const id = idOf(fields.id);
      const options = { by: nameOf(c), expectUpdatedAt: fields.seen };
      await queue.update(id, editOf(fields), options);
      return { did: "updated", n: 1, to: `/tasks/${id}` };
    },
  });
  addAction(app, services, {
    path: "/tasks/replace",
    scope: "operate",
    act: async (fields, c) => {
      const id = idOf(fields.id);
      const options = { by: nameOf(c), expectUpdatedAt: fields.seen };
      const payload = payloadOf(fields.payload ?? "");
      const { type } = await requireTask(queue, id);
      await checkPayloads([{ task: { type, payload }, payloadPath: ["payload"] }], services.app);
      const stored = await queue.replace(id, { payload }, options);
      return { did: "replaced", to: `/tasks/${stored.id}` };
    },
  });
}
