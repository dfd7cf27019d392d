/**
 * Actions on the queue as a whole: pauses, schedules, deleting, checkpoints.
 */
import type { Context, Hono } from "hono";
import {
  type LimitScope,
  maintenanceOf,
  type NewTask,
  QueueError,
  type Schedule,
  SCHEDULED_FIELD_NAMES,
} from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";
import { addAction, nameOf } from "./action.ts";
import type { Services } from "./options.ts";

/** Adds them. */
export function addQueueActions(app: Hono, services: Services): void {
  addFlowActions(app, services);
  addScheduleActions(app, services);
  addStorageActions(app, services);
}

function addFlowActions(app: Hono, services: Services): void {
  const { queue } = services;
  const scopeOf = ({ type, group }: Readonly<Record<string, string>>): LimitScope => ({
    type: type?.trim() || undefined,
    group: group?.trim() || undefined,
  });
  addAction(app, services, {
    path: "/pause",
    scope: "operate",
    act: async (fields, c) => {
      const given = { by: nameOf(c), reason: fields.reason?.trim() || undefined };
      const isChanged = await queue.pause(scopeOf(fields), given);
      return { did: isChanged ? "paused" : "unchanged" };
    },
  });
  addAction(app, services, {
    path: "/resume",
    scope: "operate",
    act: async (fields, c) => {
      const isChanged = await queue.resume(scopeOf(fields), { by: nameOf(c) });
      return { did: isChanged ? "resumed" : "unchanged" };
    },
  });
}

function addScheduleActions(app: Hono, services: Services): void {
  const { queue } = services;
  for (const [path, isPaused] of [["pause", true], ["resume", false]] as const) {
    addAction(app, services, {
      path: `/schedules/${path}`,
      scope: "operate",
      act: async ({ id = "" }) => {
        await queue.pauseSchedule(id, isPaused);
        return { did: isPaused ? "schedule_paused" : "schedule_resumed" };
      },
    });
  }
  addAction(app, services, {
    path: "/schedules/run",
    scope: "operate",
    act: async ({ id = "" }) => {
      const schedule = await queue.getSchedule(id);
      if (schedule === undefined) throw notThere(id);
      const { task } = await queue.enqueue(taskOf(schedule));
      return { did: "created", to: `/tasks/${task.id}` };
    },
  });
  addAction(app, services, {
    path: "/schedules/remove",
    scope: "operate",
    act: async ({ id = "" }) => {
      const isRemoved = await queue.removeSchedule(id);
      return { did: isRemoved ? "schedule_removed" : "unchanged", to: "/schedules" };
    },
  });
}

function notThere(id: string): QueueError {
  return new QueueError("schedule_not_found", `Cannot find schedule ${JSON.stringify(id)}`);
}

/** What a schedule enqueues. */
function taskOf(schedule: Schedule): NewTask {
  const fields = SCHEDULED_FIELD_NAMES.map((name) => [name, schedule[name] ?? undefined]);
  return { ...Object.fromEntries(fields), payload: schedule.payload };
}

const DAY_MS = 86_400_000;

function addStorageActions(app: Hono, services: Services): void {
  const { queue } = services;
  addAction(app, services, {
    path: "/prune",
    scope: "admin",
    act: async ({ days = "" }: Readonly<Record<string, string>>, _c: Context) => {
      const { pruned } = await queue.prune({ olderThanMs: daysOf(days) * DAY_MS });
      return { did: "pruned", n: pruned, to: "/storage" };
    },
  });
  addAction(app, services, {
    path: "/checkpoint",
    scope: "admin",
    act: async () => {
      const maintenance = maintenanceOf(queue);
      if (maintenance === null) {
        throw new HttpError("NOT_FOUND", "Cannot checkpoint: this queue is on a database");
      }
      await maintenance.checkpoint();
      return { did: "checkpoint", to: "/storage" };
    },
  });
}

/** @throws HttpError `OUT_OF_RANGE`. */
export function daysOf(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new HttpError(
    "OUT_OF_RANGE",
    `Cannot use ${JSON.stringify(text)} days: 0 to 99999 are allowed`,
  );
}
