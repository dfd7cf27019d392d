/**
 * A dashboard over a fresh queue, short ways to ask it as a browser would, and what its pages hold.
 */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { createDashboard, type DashboardOptions } from "../../dashboard/app.tsx";
import { MemoryLogStore, systemClock, type TaskQueue } from "../../src/mod.ts";
import { openTestQueue } from "../support/engine.ts";

/** What a test is given. */
export interface Fixture {
  readonly app: Hono;
  readonly queue: TaskQueue;
  readonly logs: MemoryLogStore;
}

/** Runs `test` with a dashboard; closes the queue. No timer of it waits. */
export async function withDashboard(
  test: (fixture: Fixture) => Promise<void>,
  options: Partial<DashboardOptions> = {},
): Promise<void> {
  const queue = await openTestQueue();
  const logs = new MemoryLogStore();
  try {
    const app = createDashboard({
      ...{ queue, logs },
      clock: {
        ...systemClock,
        setTimer: (fire, delayMs) => systemClock.setTimer(fire, delayMs === Infinity ? delayMs : 0),
      },
      patienceMs: Infinity,
      ...options,
    });
    await test({ app, queue, logs });
  } finally {
    await queue.close();
  }
}

/** The HTML of a page that is there. */
export async function page(app: Hono, path: string, init: RequestInit = {}): Promise<string> {
  const response = await app.request(path, init);
  const text = await response.text();
  assertEquals(response.status, 200, text);
  assert(text.startsWith("<!DOCTYPE html><html"), text.slice(0, 100));
  return text;
}

/** Sends a form as the dashboard's own page does. */
export async function send(
  app: Hono,
  path: string,
  fields: Readonly<Record<string, string>> | URLSearchParams = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await app.request(path, {
    method: "POST",
    headers: { Origin: "http://localhost", ...headers },
    body: new URLSearchParams(fields),
  });
}

/** Where a form that was accepted leads. */
export async function sent(
  app: Hono,
  path: string,
  fields: Readonly<Record<string, string>> | URLSearchParams = {},
): Promise<string> {
  const response = await send(app, path, fields);
  const text = await response.text();
  assertEquals(response.status, 303, text);
  return response.headers.get("Location")!;
}
