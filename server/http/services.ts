/**
 * What the routes of one application share.
 */
import type { Changes } from "./changes.ts";
import type { OpenStreams } from "./event_stream.ts";
import type { ResolvedAppOptions } from "./options.ts";

/** One application's options, and what its waiting requests have in common. */
export interface AppParts {
  readonly options: ResolvedAppOptions;
  readonly changes: Changes;
  readonly streams: OpenStreams;
}
