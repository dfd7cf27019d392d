/**
 * Mutants of limits and pauses.
 */
import type { Mutant } from "./mutant.ts";

const FLOW = ["test/ledger_queue/flow.test.ts"];
const POSTGRES = ["test/postgres_queue/flow.test.ts"];

/** Faults that would let too much start, or keep what may start from it. */
export const FLOW_MUTANTS: readonly Mutant[] = [
  {
    name: "flow: count no lease that has run out",
    file: "src/ledger_queue/rows/flow_rows.ts",
    find: "reader.read(leasedOfType, [type])",
    replace: "reader.read(`${leasedOfType} AND lease_until_utc > ${nowMs}`, [type])",
    tests: FLOW,
  },
  {
    name: "flow: a cancelled task gives up its slot at once",
    file: "src/ledger_queue/tasks/cancel_retry.ts",
    find: '  if (status === "leased") keepSlot(tx, row);\n',
    replace: '  if (status === "completed") keepSlot(tx, row);\n',
    tests: FLOW,
  },
  {
    name: "flow: a claim by id asks neither for a pause nor for a limit",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "    return hasRoom(reader, placeOf(row), nowMs);\n",
    replace: "    return row.length > 0;\n",
    tests: FLOW,
  },
  {
    name: "flow: a first lease needs no slot",
    file: "src/ledger_queue/tasks/enqueue.ts",
    find: "task.leaseTo !== null && hasRoom(tx, task.kept, nowMs)",
    replace: "task.leaseTo !== null && nowMs > 0",
    tests: FLOW,
  },
  {
    name: "flow: what one claim takes is not counted",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "    if (isLimited) room.take({ type: line.lane.type, grp: candidate.grp });\n",
    replace: "",
    tests: FLOW,
  },
  {
    name: "flow: the whole queue's limit is nobody's",
    file: "src/queue_policy/flow.ts",
    find: '      ...["", type].flatMap((name) => this.#limit(name, "", "")),',
    replace: '      ...this.#limit(type, "", ""),',
    tests: FLOW,
  },
  {
    name: "flow: a pause does not end by itself",
    file: "src/queue_policy/limit_request.ts",
    find: "(paused_until === null || paused_until > nowMs)",
    replace: "(paused_until === null || paused_until > 0 * nowMs)",
    tests: FLOW,
  },
  {
    name: "flow: the end of a pause wakes nobody",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "  const roomMs = nextRoomMs(reader, nowMs);\n",
    replace: "  const roomMs = nextRoomMs(reader, Infinity);\n",
    tests: FLOW,
  },
  {
    name: "flow: any worker frees the slot of a cancelled task",
    file: "src/ledger_queue/rows/flow_rows.ts",
    find: "  if (slot === undefined || slot[0] !== lease.workerId) return false;\n",
    replace: "  if (slot === undefined) return false;\n",
    tests: FLOW,
  },
  {
    name: "flow: limits are remembered when they have changed",
    file: "src/ledger/replica.ts",
    find: "    this.#remembered.delete(change.table);\n    if (change.row === null) {\n",
    replace: "    if (change.row === null) {\n",
    tests: FLOW,
  },
  {
    name: "flow: a program's limit replaces a person's",
    file: "src/queue_policy/limit_request.ts",
    find: "  if (isSame || isKept) return",
    replace: "  if (isSame || isKept && concurrency === null) return",
    tests: FLOW,
  },
  {
    name: "PostgreSQL: a claim believes the limits that it knows",
    file: "src/postgres_queue/tasks/claim.ts",
    find: "      ${FLOW_VERSION} = $17::bigint as is_current,\n",
    replace: "      $17::bigint >= 0 or ${FLOW_VERSION} = 0 as is_current,\n",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: claims count the leases of a scope at the same time",
    file: "src/postgres_queue/tasks/claim.ts",
    find: "  await lockLimits(context.statements, limitsOf(first, context.known));\n",
    replace: "",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: a limit is changed beside a claim that is under way",
    file: "src/postgres_queue/rows/flow_rows.ts",
    find: "  await tx.query(FLOW_SQL.count);\n",
    replace: "",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: a cancelled task gives up its slot at once",
    file: "src/postgres_queue/tasks/cancel_retry.ts",
    find: '  if (row.status === "leased") {\n    await keepSlot',
    replace: '  if (row.status === "completed") {\n    await keepSlot',
    tests: POSTGRES,
  },
  {
    name: "groups: a group that comes back has the credit of its old tag",
    file: "src/ledger_queue/rows/groups.ts",
    find: "{ is_active: 1, tag: Math.max(known.tag, served) }",
    replace: "{ is_active: 1 }",
    tests: ["test/ledger_queue/groups.test.ts"],
  },
  {
    name: "groups: a group that opens has the credit of the time in which it was closed",
    file: "src/ledger_queue/rows/groups.ts",
    find: "const tag = Math.max(group.tag, servedOf(tx, group));",
    replace: "const tag = group.tag;",
    tests: ["test/ledger_queue/groups.test.ts"],
  },
  {
    name: "groups: what starts while each group is paused is their credit",
    file: "src/ledger_queue/tasks/claim_lines.ts",
    find: "areGroupsPaused(lane, reading) ? undefined :",
    replace:
      'areGroupsPaused(lane, reading) ? [findGroup(reader, { ...lane, grp: "" }) ?? []].flat() :',
    tests: ["test/ledger_queue/groups.test.ts"],
  },
  {
    name: "groups: a slot that comes free opens no group",
    file: "src/ledger_queue/rows/group_room.ts",
    find: "if (roomOf(tx, nowMs).ofGroup(group) > 0) openGroup(tx, group);",
    replace: "if (roomOf(tx, nowMs).ofGroup(group) > 1e9) openGroup(tx, group);",
    tests: ["test/ledger_queue/groups.test.ts"],
  },
  {
    name: "groups: a group closes without the end of its pause",
    file: "src/ledger_queue/rows/group_room.ts",
    find: "opensAtMs: ends.length === 0 ? null : Math.min(...ends),",
    replace: "opensAtMs: null,",
    tests: ["test/ledger_queue/groups.test.ts"],
  },
  {
    name: "groups: a changed limit opens no group",
    file: "src/ledger_queue/tasks/limits.ts",
    find: 'if (change.isChange && key.grp !== "") noteGroupLimitChange(tx);',
    replace: "",
    tests: ["test/ledger_queue/groups.test.ts"],
  },
];
