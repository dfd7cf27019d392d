/**
 * What the routes of one application share.
 */
import type { Changes } from "./changes.ts";
import type { StreamServices } from "./event_stream.ts";

/** One application's options, and what its waiting requests have in common. */
export interface AppServices extends StreamServices {
  readonly changes: Changes;
}
