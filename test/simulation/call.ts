/**
 * Calls: who asked for what, and when.
 */
import type { Span } from "./facts.ts";
import type { ProcessId } from "./scheduler.ts";

/** A call that somebody made. */
export interface Call {
  readonly process: ProcessId;
  readonly name: string;
  readonly span: Span;
}
