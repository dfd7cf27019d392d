/** @jsxImportSource hono/jsx */
/**
 * The pages for who runs the queue.
 */
import type { Hono } from "hono";
import { HttpError } from "../server/http/errors.ts";
import type { Services } from "./options.ts";
import { Failures, readFailures } from "./pages/failures.tsx";
import { ModuleList, ModuleView } from "./pages/run.tsx";
import { ConfirmRemoval, readSchedules, Schedules } from "./pages/schedules.tsx";
import { ConfirmPrune, readStorage, Storage } from "./pages/storage.tsx";
import { readWorkers, Workers } from "./pages/workers.tsx";
import { daysOf } from "./queue_actions.ts";
import { visible } from "./text.ts";
import { addView } from "./view.ts";

/** Adds them. */
export function addOperatorViews(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/failures",
    show: async (viewer) => {
      const seen = await readFailures(services);
      return {
        title: "Failures",
        isLive: true,
        children: <Failures seen={seen} viewer={viewer} />,
      };
    },
  });
  addView(app, services, {
    path: "/workers",
    show: async (viewer) => {
      const seen = await readWorkers(services);
      return { title: "Workers", isLive: true, children: <Workers seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/storage",
    show: async (viewer) => {
      const seen = await readStorage(services);
      return { title: "Storage", isLive: true, children: <Storage seen={seen} viewer={viewer} /> };
    },
  });
  addView(app, services, {
    path: "/prune",
    scope: "admin",
    show: (viewer, c) => {
      const days = daysOf(c.req.query("days") ?? "30");
      return Promise.resolve({
        title: "Are you sure?",
        children: <ConfirmPrune days={days} viewer={viewer} />,
      });
    },
  });
  addScheduleViews(app, services);
  addModuleViews(app, services);
}

function addScheduleViews(app: Hono, services: Services): void {
  addView(app, services, {
    path: "/schedules",
    show: async (viewer, c) => {
      const seen = await readSchedules(services, c.req.query("after"));
      return {
        title: "Schedules",
        isLive: true,
        children: <Schedules seen={seen} viewer={viewer} />,
      };
    },
  });
  addView(app, services, {
    path: "/schedules/remove",
    scope: "operate",
    show: async (viewer, c) => {
      const schedule = await services.queue.getSchedule(c.req.query("id") ?? "");
      if (schedule === undefined) throw new HttpError("NOT_FOUND", "Cannot find this schedule");
      return {
        title: "Are you sure?",
        children: <ConfirmRemoval id={schedule.id} viewer={viewer} />,
      };
    },
  });
}

function addModuleViews(app: Hono, services: Services): void {
  const { handlers } = services.app;
  addView(app, services, {
    path: "/run",
    scope: "enqueue",
    show: (viewer, c) => {
      const id = c.req.query("module");
      if (id === undefined) {
        const children = <ModuleList handlers={handlers} viewer={viewer} />;
        return Promise.resolve({ title: "Run a module", children });
      }
      const entry = handlers.get(id);
      if (entry === undefined) throw new HttpError("NOT_FOUND", `Cannot find module ${id}`);
      const children = <ModuleView entry={entry} viewer={viewer} />;
      return Promise.resolve({ title: `Run ${visible(entry.name)}`, children });
    },
  });
}
