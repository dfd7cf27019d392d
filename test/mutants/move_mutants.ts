/**
 * Deliberate faults in the closing and moving of queues.
 */
import type { Mutant } from "./mutant.ts";

const CLOSING = ["test/ledger_queue/closure.test.ts"];
const CLOSING_THERE = ["test/postgres_queue/closure.test.ts"];
const MOVING = ["test/transfer/move.test.ts"];
const MOVING_THERE = ["test/postgres_queue/move.test.ts"];

/** Every one of them. */
export const MOVE_MUTANTS: readonly Mutant[] = [
  {
    name: "closed queue in files: claim and enqueue all the same",
    file: "src/ledger_queue/ledger_access.ts",
    find: "      checkOpen(tx);\n",
    replace: "",
    tests: CLOSING,
  },
  {
    name: "closed queue on PostgreSQL: give out tasks",
    file: "src/postgres_queue/tasks/claim.ts",
    find: "  checkClosure(found[0]!.closure);\n",
    replace: "",
    tests: CLOSING_THERE,
  },
  {
    name: "closed queue on PostgreSQL: close without waiting for what is under way",
    file: "src/postgres_queue/records/postgres_move_end.ts",
    find: "      await tx.query(MOVE_SQL.lock);\n",
    replace: "",
    tests: CLOSING_THERE,
  },
  {
    name: "move: open the target before both were compared",
    file: "src/transfer/move_tasks.ts",
    find: "  const contents = await verifyAll(from, to, onProgress);\n",
    replace: "  const contents = null;\n",
    tests: MOVING,
  },
  {
    name: "move: copy while tasks are leased",
    file: "src/transfer/move_tasks.ts",
    find: "  await untilAtRest(from, { waitMs, onProgress, clock });\n",
    replace: "",
    tests: MOVING,
  },
  {
    name: "move: call off what may be open already",
    file: "src/transfer/move_cancel.ts",
    find: "  if (!await abandon(from, to, closure)) throw maybeDone(from, closure, to);\n",
    replace: "",
    tests: MOVING,
  },
  {
    name: "move: use ids of pruned tasks again",
    file: "src/ledger_queue/records/ledger_move_end.ts",
    find: "      useIds(tx, usedUpTo, context);\n",
    replace: "",
    tests: MOVING,
  },
  {
    name: "move to PostgreSQL: parents do not know that children wait",
    file: "src/postgres_queue/records/postgres_move_end.ts",
    find: "      await tx.query(MOVE_SQL.follow);\n",
    replace: "",
    tests: MOVING_THERE,
  },
];
