/**
 * The columns of `task` and `live` by name and type, for statements that read or write whole rows. What a task keeps as it was
 * given comes from the table of its fields.
 */
import { columnName } from "../../queue_policy/kept_fields.ts";
import { KEPT_FIELD_NAMES, type KeptFieldName, TASK_FIELDS } from "../../domain/task_fields.ts";

/** Columns in order, each with its type. */
export type Columns = Readonly<Record<string, "bigint" | "float8" | "boolean" | "text">>;

/** These are the lane's. */
const OF_LANE: readonly KeptFieldName[] = ["type", "compatibility"];

/** What a task keeps as it was given, but for what its lane says. */
export const KEPT_COLUMNS: Columns = Object.freeze(
  Object.fromEntries(
    KEPT_FIELD_NAMES.filter((name) => !OF_LANE.includes(name)).map((name) => [
      columnName(name),
      ["integer", "instant"].includes(TASK_FIELDS[name].kind) ? "bigint" : "text",
    ]),
  ) as Columns,
);

/** What every task has in `task`. */
export const GIVEN_COLUMNS: Columns = Object.freeze({
  id: "bigint",
  run_id: "text",
  lane_id: "bigint",
  payload: "text",
  trace_parent: "text",
  unique_key: "text",
  ordering_place: "bigint",
  created_at: "bigint",
  ...KEPT_COLUMNS,
});

/** What of it a person may change while the task waits. */
export const EDITED_COLUMNS: Columns = Object.freeze({
  expires_at: "bigint",
  priority: "bigint",
  max_attempts: "bigint",
  grp: "text",
  lane_id: "bigint",
  tags: "text",
});

/** What only a final task has there. */
export const ENDED_COLUMNS: Columns = Object.freeze({
  outcome: "text",
  attempts: "bigint",
  lease_token: "bigint",
  locked_by: "text",
  reserved_at: "bigint",
  processing_started: "bigint",
  run_after: "bigint",
  finished_at: "bigint",
  updated_at: "bigint",
  progress_percent: "float8",
  progress_message: "text",
  error_message: "text",
  result: "text",
});

/** What a task has in `live`, beside its id. */
export const LIVE_COLUMNS: Columns = Object.freeze({
  lane_id: "bigint",
  grp: "text",
  priority: "bigint",
  draw: "float8",
  state: "bigint",
  run_after: "bigint",
  expires_at: "bigint",
  waits_for: "bigint",
  ordering_key: "text",
  ordering_place: "bigint",
  is_behind: "boolean",
  followed: "boolean",
  weight: "bigint",
  attempts: "bigint",
  lease_token: "bigint",
  locked_by: "text",
  lease_until: "bigint",
  reserved_at: "bigint",
  processing_started: "bigint",
  created_at: "bigint",
  updated_at: "bigint",
  progress_percent: "float8",
  progress_message: "text",
  error_message: "text",
});

/** The names of columns as a list; `prefix` stands before each, such as `t.`. */
export function namesOf(columns: Columns, prefix = ""): string {
  return Object.keys(columns).map((name) => prefix + name).join(", ");
}

/** The rows of a JSON array that is the parameter `$1`, as `r` with these columns. */
export function givenRows(columns: Columns): string {
  const types = Object.entries(columns).map((column) => column.join(" ")).join(", ");
  return `json_to_recordset($1::text::json) as r(${types})`;
}
