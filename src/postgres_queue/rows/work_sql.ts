/**
 * The statements by which a transaction's work (`work.ts`) reads and writes rows.
 */
import {
  EDITED_COLUMNS,
  ENDED_COLUMNS,
  GIVEN_COLUMNS,
  givenRows,
  LIVE_COLUMNS,
  namesOf,
} from "./columns.ts";
import { FLOW_VERSION, GATE } from "./flow_rows.ts";
import { KEYS_ARE_LOCKED, orderGate } from "./ordering.ts";
import { clocksOf } from "./groups.ts";
import { TAG_SQL } from "./tags.ts";
import { SELECT_TASKS } from "./task_row.ts";

/** Who made the row what it is in the indexes of ready and scheduled tasks: see `tasks/marks.ts`. */
const NEW_MADE = `case when r.state in (1, 2)
    and (v.state <> r.state or r.draw is not null or v.run_after <> r.run_after)
  then pg_current_xact_id() else v.made end`;

const LIVE = { id: "bigint", ...LIVE_COLUMNS } as const;

/** A row of `live` as it will be; without a new draw it keeps its place. */
const NEW_LIVE = Object.keys(LIVE_COLUMNS).map((name) =>
  name === "draw"
    ? `case when r.draw is null then v.draw else r.draw + ${clocksOf("r")} end`
    : `r.${name}`
).join(", ");

/** The statements; `$1` is a JSON array of rows where there is no other comment, and `$2` their ids. */
export const WORK_SQL = {
  /** `$1` are ids. */
  lockLive: `with ${orderGate("select ordering_key as key from @live where id = any($1)")}
    select id from @live where id = any($1) and ${KEYS_ARE_LOCKED} order by id for update`,
  lockFinal: `with ${
    orderGate(`select ordering_key as key from @task t where id = any($1)
      and not exists (select from @live v where v.id = t.id)`)
  }
    select id from @task t where id = any($1) and ${KEYS_ARE_LOCKED}
    and not exists (select from @live v where v.id = t.id) order by id for update`,
  load: `${SELECT_TASKS} where t.id = any($1)`,
  addTasks: `insert into @task (${namesOf(GIVEN_COLUMNS)})
    select ${namesOf(GIVEN_COLUMNS)} from ${givenRows(GIVEN_COLUMNS)}
    on conflict do nothing returning id`,
  addLive: `insert into @live (${namesOf(LIVE)})
    select ${namesOf(LIVE, "r.").replace("r.draw", `r.draw + ${clocksOf("r")}`)}
    from ${givenRows(LIVE)} join @lane lane using (lane_id)`,
  changeLive: `update @live v set (${namesOf(LIVE_COLUMNS)}, made) = row(${NEW_LIVE}, ${NEW_MADE})
    from ${givenRows(LIVE)} join @lane lane using (lane_id)
    where v.id = r.id and v.id = any($2)`,
  setPayloads: `update @task t set payload = r.payload
    from ${givenRows({ id: "bigint", payload: "text" })} where t.id = r.id and t.id = any($2)`,
  /** `$1` are ids. */
  removeLive: "delete from @live where id = any($1)",
  setEdited: `update @task t set (${namesOf(EDITED_COLUMNS)}) = row(${
    namesOf(EDITED_COLUMNS, "r.")
  })
    from ${givenRows({ id: "bigint", ...EDITED_COLUMNS })} where t.id = r.id and t.id = any($2)`,
  setEnds: `update @task t set (${namesOf(ENDED_COLUMNS)}) = row(${namesOf(ENDED_COLUMNS, "r.")})
    from ${givenRows({ id: "bigint", ...ENDED_COLUMNS })} where t.id = r.id and t.id = any($2)`,
  addTransitions: `insert into @transition (task_id, at, kind, details, duration_ms)
    select task_id, at, kind, details, duration_ms from json_to_recordset($1::text::json)
      as r(task_id bigint, at bigint, kind text, details text, duration_ms bigint)`,
  addDependencies: `insert into @dependency
      (child_id, parent_id, parent_run_id, position, on_failure, state)
    select child_id, parent_id, parent_run_id, position, on_failure, state
    from json_to_recordset($1::text::json) as r(child_id bigint, parent_id bigint, parent_run_id text,
      position int, on_failure text, state text)`,
  markDependencies: `update @dependency d set state = r.state
    from json_to_recordset($1::text::json) as r(child_id bigint, parent_id bigint, state text)
    where d.child_id = r.child_id and d.parent_id = r.parent_id`,
  addWebhooks: `insert into @webhook (task_id, url, events) select task_id, url, events
    from json_to_recordset($1::text::json) as r(task_id bigint, url text, events text)`,
  ...TAG_SQL,
  /** `$1` is how many. */
  takeIds: "select nextval('@task_id_seq') as id from generate_series(1, $1::int)",
  /** The same, behind the gate of the limits. */
  takeIdsToStart: `with ${GATE} select nextval('@task_id_seq') as id, ${FLOW_VERSION} as version
    from gate, generate_series(1, $1::int)`,
} as const;
