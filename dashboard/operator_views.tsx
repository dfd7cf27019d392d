/** @jsxImportSource hono/jsx */
/**
 * The pages for who runs the queue.
 */
import type { Hono } from "hono";
import type { Services } from "./options.ts";

/** Adds them. */
export function addOperatorViews(_app: Hono, _services: Services): void {
}
