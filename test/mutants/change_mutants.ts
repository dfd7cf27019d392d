/**
 * Mutants of changes by hand.
 */
import type { Mutant } from "./mutant.ts";

const CHANGES = ["test/ledger_queue/changes.test.ts"];
const POSTGRES = ["test/postgres_queue/changes.test.ts"];

/** Faults that would change what must stay, lose who waits, or pass a task over. */
export const CHANGE_MUTANTS: readonly Mutant[] = [
  {
    name: "change: a stale expectation is passed over",
    file: "src/queue_policy/update_request.ts",
    find: "if (expectUpdatedAtMs === null || expectUpdatedAtMs === updatedAtMs) return;",
    replace: "if (expectUpdatedAtMs === null || expectUpdatedAtMs <= updatedAtMs) return;",
    tests: CHANGES,
  },
  {
    name: "change: two updates within a millisecond look the same",
    file: "src/queue_policy/update_request.ts",
    find: "Math.max(nowMs, task.updatedAtMs + 1)",
    replace: "Math.max(nowMs, task.updatedAtMs)",
    tests: CHANGES,
  },
  {
    name: "change: fewer attempts than have begun",
    file: "src/queue_policy/update_request.ts",
    find: "wanted === undefined || wanted > attempts",
    replace: "wanted === undefined || wanted > 0 * attempts",
    tests: CHANGES,
  },
  {
    name: "change: a task that waits for its parents runs when it is updated",
    file: "src/ledger_queue/tasks/update.ts",
    find: 'const waitsFor = cell(row, "waits_for") as number;',
    replace: 'const waitsFor = 0 * (cell(row, "waits_for") as number);',
    tests: CHANGES,
  },
  {
    name: "change: children of a replaced task are not asked for",
    file: "src/ledger_queue/tasks/replace.ts",
    find: "const children = childrenOf(tx, oldId!, FOLLOWING_MAX + 1);",
    replace: "const children = childrenOf(tx, oldId!, 0 * FOLLOWING_MAX);",
    tests: CHANGES,
  },
  {
    name: "change: a parent whose child is not final is removed",
    file: "src/queue_policy/removal.ts",
    find: "  if (waitingChild === undefined) return;\n",
    replace: "  if (waitingChild === undefined || id > 0) return;\n",
    tests: CHANGES,
  },
  {
    name: "bulk: only the first slice is looked at",
    file: "src/queue_policy/bulk_walk.ts",
    find: "tasks.length < max ? upToId : tasks.at(-1)!.id",
    replace: "tasks.length < 2 * max ? upToId : tasks.at(-1)!.id",
    tests: ["test/queue_policy/bulk_walk.test.ts"],
  },
  {
    name: "bulk: what is stored later is not spared",
    file: "src/queue_policy/bulk_request.ts",
    find: "return { afterId: Number(after), upToId: Number(upTo) };",
    replace: "return { afterId: Number(after), upToId: Number(upTo) + 1 };",
    tests: CHANGES,
  },
  {
    name: "postgres: an updated priority stays in the task's own row",
    file: "src/postgres_queue/rows/work.ts",
    find: "each.stored !== undefined && isEdited(each)",
    replace: "each.stored !== undefined && isEdited(each) && false",
    tests: POSTGRES,
  },
  {
    name: "postgres: children of a replaced task stay behind",
    file: "src/postgres_queue/tasks/replace.ts",
    find: "  await tx.query(REPLACE_SQL.moveChildren, [old.id, stored.id, stored.run_id]);\n",
    replace: "",
    tests: POSTGRES,
  },
];
