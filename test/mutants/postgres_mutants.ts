/**
 * Deliberate faults of `src/postgres_queue`.
 */
import type { Mutant } from "./mutant.ts";

const CONTRACT = ["test/postgres_queue/task_queue.test.ts"];
const DEPENDENCIES = ["test/postgres_queue/dependencies.test.ts"];
const LOST = ["test/postgres_queue/lost_answers.test.ts"];
const HISTORY = ["test/postgres_queue/history.test.ts"];
const SCHEDULES = ["test/postgres_queue/schedules.test.ts"];
const RECORDS = ["test/postgres_queue/records.test.ts"];
const MARKS = ["test/postgres_queue/marks.test.ts"];
const CLOCKS = ["test/postgres_queue/clocks.test.ts"];
const GROUPS = ["test/postgres_queue/groups.test.ts"];
const TURNS = ["test/postgres_queue/flow.test.ts"];

/** What a test on a real server must catch. */
export const POSTGRES_MUTANTS: readonly Mutant[] = [
  {
    name: "PostgreSQL: forget which ids pruned tasks had",
    file: "src/postgres_queue/rows/used_ids.ts",
    find: "(id % ${BLOCK})::int, 1))",
    replace: "(id % ${BLOCK})::int, 0))",
    tests: RECORDS,
  },
  {
    name: "PostgreSQL: forget up to which id an import came",
    file: "src/postgres_queue/rows/used_ids.ts",
    find: "  await tx.query(USED_SQL.raise, [lastId]);\n",
    replace: "",
    tests: RECORDS,
  },
  {
    name: "PostgreSQL: give imported ids again",
    file: "src/postgres_queue/rows/used_ids.ts",
    find: "  await tx.query(USED_SQL.goOn, [lastId]);\n",
    replace: "",
    tests: RECORDS,
  },
  {
    name: "PostgreSQL: import a child whose parent does not hear of it",
    file: "src/postgres_queue/records/import_parents.ts",
    find: "        else if (!row.followed) work.change(row, { followed: true });\n",
    replace: "",
    tests: RECORDS,
  },
  {
    name: "PostgreSQL: import parents that do not know of their children",
    file: "src/postgres_queue/records/import_records.ts",
    find: "webhook !== null || parents.hasChildren(record),",
    replace: "webhook !== null,",
    tests: RECORDS,
  },
  {
    name: "PostgreSQL: a window among several is that of the longest",
    file: "src/postgres_queue/insight/metrics.ts",
    find: "as since on at >= since",
    replace: "as since on at >= 0",
    tests: ["test/postgres_queue/queue_operations.test.ts"],
  },
  {
    name: "PostgreSQL: a worker keeps the version of its first heartbeat",
    file: "src/postgres_queue/insight/workers.ts",
    find: " version = excluded.version,",
    replace: "",
    tests: ["test/postgres_queue/queue_operations.test.ts"],
  },
  {
    name: "PostgreSQL: a page of children begins with the first",
    file: "src/postgres_queue/insight/children.ts",
    find: " and child_id > $2 ",
    replace: " and ($2::bigint is not null) ",
    tests: DEPENDENCIES,
  },
  {
    name: "PostgreSQL: complete whatever the token",
    file: "src/postgres_queue/tasks/lease.ts",
    find:
      "      where v.lease_until is not null and v.lease_token = w.lease_token and v.locked_by = w.worker\n        and not v.followed\n",
    replace: "      where v.state = 4 and v.locked_by = w.worker\n        and not v.followed\n",
    tests: CONTRACT,
  },
  {
    name: "PostgreSQL: complete a parent without telling its children",
    file: "src/postgres_queue/tasks/lease.ts",
    find: "        and not v.followed\n",
    replace: "",
    tests: DEPENDENCIES,
  },
  {
    name: "PostgreSQL: forget that a parent is followed",
    file: "src/postgres_queue/tasks/enqueue.ts",
    find: "    if (!isFinal(row.status) && !row.followed) work.change(row, { followed: true });\n",
    replace: "",
    tests: DEPENDENCIES,
  },
  {
    name: "PostgreSQL: give the same token again",
    file: "src/postgres_queue/tasks/claim_sql.ts",
    find: "lease_token = v.lease_token + 1,",
    replace: "lease_token = greatest(v.lease_token, 1),",
    tests: CONTRACT,
  },
  {
    name: "PostgreSQL: take a lost answer for a refusal",
    file: "src/postgres_queue/postgres_access.ts",
    find: "        isRepeat ||= error.isInDoubt;\n",
    replace: "",
    tests: LOST,
  },
  {
    name: "PostgreSQL: read the history beyond a transaction that is under way",
    file: "src/postgres_queue/rows/transition_log.ts",
    find: 'const SETTLED = "p.tx < pg_snapshot_xmin(pg_current_snapshot())";',
    replace: 'const SETTLED = "p.tx is not null";',
    tests: HISTORY,
  },
  {
    name: "PostgreSQL: rescue by the clock of the process",
    file: "src/postgres_queue/postgres_access.ts",
    find: "this.testMs ?? serverMs",
    replace: "this.clock.nowMs() ?? serverMs",
    tests: CLOCKS,
  },
  {
    name: "PostgreSQL: tell the time of what is due by the server's clock",
    file: "src/postgres_queue/claims.ts",
    find: "    return inMs === undefined ? undefined : nowMs + inMs;\n",
    replace: "    return inMs === undefined ? undefined : Date.now() + inMs + 0 * nowMs;\n",
    tests: CLOCKS,
  },
  {
    name: "PostgreSQL: fire a schedule without locking its row",
    file: "src/postgres_queue/schedules/fire_schedules.ts",
    find: "    order by schedule_id for update skip locked`",
    replace: "    order by schedule_id`",
    tests: SCHEDULES,
  },
  {
    name: "PostgreSQL: count schedules while others add some",
    file: "src/postgres_queue/schedules/store_schedule.ts",
    find: "    tx.query(STORE_SQL.lockCount),\n",
    replace: "    [],\n",
    tests: SCHEDULES,
  },
  {
    name: "PostgreSQL: read the server's clock for each row",
    file: "src/postgres_queue/tasks/claim_sql.ts",
    find:
      "return `(select coalesce(${parameter}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint))`",
    replace:
      "return `coalesce(${parameter}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)`",
    tests: SCHEDULES,
  },
  {
    name: "PostgreSQL: claim from the mark on, whatever was being written when it was made",
    file: "src/postgres_queue/tasks/marks.ts",
    find: "`v.made = any(${underWay}::text[]::xid8[])`",
    replace: "`v.made = any(${underWay}::text[]::xid8[]) and v.id < 0`",
    tests: MARKS,
  },
  {
    name: "PostgreSQL: claim from the mark on, whatever came since",
    file: "src/postgres_queue/tasks/marks.ts",
    find: "`v.made >= ${next}::text::xid8`",
    replace: "`v.made >= ${next}::text::xid8 and v.id < 0`",
    tests: MARKS,
  },
  {
    name: "PostgreSQL: forget who made a task ready again",
    file: "src/postgres_queue/rows/work_sql.ts",
    find: "then pg_current_xact_id() else v.made end",
    replace: "then v.made else v.made end",
    tests: MARKS,
  },
  {
    name: "PostgreSQL: forget who made a scheduled task ready",
    file: "src/postgres_queue/tasks/claim.ts",
    find: "state = 1, made = pg_current_xact_id(), updated_at",
    replace: "state = 1, updated_at",
    tests: MARKS,
  },
  {
    name: "PostgreSQL: groups: forget what transactions do that were under way",
    file: "src/postgres_queue/rows/groups.ts",
    find: "          and v.made = any(line.seen_under_way) and line.is_known\n",
    replace: "          and v.made = any(line.seen_under_way) and not line.is_known\n",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: forget what the claim itself makes ready",
    file: "src/postgres_queue/rows/groups.ts",
    find:
      "array_append(\n        array(select pg_snapshot_xip(pg_current_snapshot())), pg_current_xact_id()) as under_way",
    replace: "array(select pg_snapshot_xip(pg_current_snapshot())) as under_way",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: credit for the time without tasks",
    file: "src/postgres_queue/rows/groups.ts",
    find: "set is_active = true, tag = greatest(g.tag, excluded.tag)),",
    replace: "set is_active = true),",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: credit for the time of a pause",
    file: "src/postgres_queue/rows/groups.ts",
    find: "set tag = greatest(g.tag, open.served),\n        closed_by = null",
    replace: "set closed_by = null",
    tests: TURNS,
  },
  {
    name: "PostgreSQL: groups: a pause that has ended opens none",
    file: "src/postgres_queue/rows/groups.ts",
    find: "where g.opens_at is not null and g.opens_at <= $2",
    replace: "where g.opens_at is not null and g.opens_at < 0",
    tests: TURNS,
  },
  {
    name: "PostgreSQL: groups: claims of one scope do not wait for each other",
    file: "src/postgres_queue/tasks/claim_groups.ts",
    find: "    lockLimits(statements, lockedScopes(known.flow, keys)),\n",
    replace: "    lockLimits(statements, []),\n",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: a limit over all types counts one",
    file: "src/postgres_queue/tasks/group_heads.ts",
    find: '${slotsOf("\'\'", "g.grp", "g.now")} end as held,',
    replace: '${slotsOf("g.type", "g.grp", "g.now")} end as held,',
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: the slot of a cancelled task is none of its group's",
    file: "src/postgres_queue/tasks/cancel_retry.ts",
    find: "      grp: row.grp,\n",
    replace: '      grp: "",\n',
    tests: TURNS,
  },
  {
    name: "PostgreSQL: groups: tasks without a group have credit",
    file: "src/postgres_queue/tasks/turn_lines.ts",
    find: 'return { laneId, grp: "", tag: served, served: 0, clock: 0 };',
    replace: 'return { laneId, grp: "", tag: 0, served: 0, clock: 0 };',
    tests: TURNS,
  },
  {
    name: "PostgreSQL: groups: a task keeps its lane when it gets a group",
    file: "src/postgres_queue/tasks/update.ts",
    find: "values.grp === undefined ? row.lane_id :",
    replace: "values.grp !== null ? row.lane_id :",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: a first lease needs no slot of its group",
    file: "src/postgres_queue/tasks/enqueue.ts",
    find: "    const hasRoom = room.of(key) > 0;",
    replace: '    const hasRoom = room.of({ ...key, grp: "" }) > 0;',
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: a locked task holds up the others",
    file: "src/postgres_queue/tasks/claim_groups.ts",
    find: "    isLocking ||= isLocked;\n",
    replace: "    if (isLocked) return { rows: shared([], requests), dueInMs: undefined };\n",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: groups: a group whose tasks are locked has none",
    file: "src/postgres_queue/tasks/turn_lines.ts",
    find: "of outcome.isLocking ? [] : line.withoutTasks",
    replace: "of line.withoutTasks",
    tests: GROUPS,
  },
  {
    name: "PostgreSQL: what is no name is looked for",
    file: "src/postgres_queue/rows/sought_name.ts",
    find: "isName(name) ? name : null",
    replace: "name",
    tests: ["test/postgres_queue/arguments.test.ts"],
  },
  {
    name: "PostgreSQL: a page of a tag ends with the newest of its tasks",
    file: "src/postgres_queue/insight/list.ts",
    find: "    if (rows.length === limit) return rows;\n",
    replace: "    return rows;\n",
    tests: ["test/postgres_queue/lists.test.ts"],
  },
  {
    name: "PostgreSQL: many are taken for few",
    file: "src/postgres_queue/insight/list.ts",
    find: "    if (rows.length <= FEW) return",
    replace: "    if (rows.length > 0) return",
    tests: ["test/postgres_queue/lists.test.ts"],
  },
];
