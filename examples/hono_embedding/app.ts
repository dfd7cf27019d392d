/**
 * An application that has Holdfast inside: its own pages and its own sign-in, and durable tasks under `/tasks`.
 *
 * The host's middleware says who the visitor is; Holdfast asks it instead of tokens of its own. Visitors may look and
 * start work, the administrator may also cancel it.
 */
import { Hono } from "hono";
import { z } from "zod";
import { createApp, type Principal, type Scope } from "../../server/app.ts";
import { HandlerRegistry, type LogStore, type TaskQueue } from "../../src/mod.ts";

/** What this application keeps beside each request. */
interface Host {
  Variables: { user: string | undefined };
}

/** Who may sign in here, by the word they know. A real application asks its session store. */
const USERS: Readonly<Record<string, Principal>> = {
  "ann's word": { name: "ann", scopes: ["read", "enqueue"] },
  "root's word": { name: "root", scopes: ["admin"] as Scope[] },
};

/** The tasks of this application. */
export function createHandlers(): HandlerRegistry {
  return new HandlerRegistry().register(
    "greet",
    async ({ payload }, { log, progress }) => {
      log("info", `greeting ${payload.name}`);
      await progress(50, "half-way");
      return { text: `Hello, ${payload.name}!` };
    },
    { description: "Greets somebody", payload: z.strictObject({ name: z.string().min(1) }) },
  );
}

/** The application. Whoever made the queue and its worker ends them. */
export function createHost(queue: TaskQueue, logs: LogStore): Hono<Host> {
  const host = new Hono<Host>();
  host.use(async (c, next) => {
    const word = c.req.header("X-Word") ?? "";
    c.set("user", Object.hasOwn(USERS, word) ? word : undefined);
    await next();
  });
  host.get("/", (c) => c.text("The host's own page"));
  host.get("/api/health", (c) => c.text("the host is well"));
  host.route(
    "/tasks",
    createApp({
      queue,
      logs,
      handlers: createHandlers(),
      access: (c) => USERS[(c.get("user") as string | undefined) ?? ""],
    }),
  );
  return host;
}
