/**
 * Mutants of what is counted once and then follows what changes, and of what is searched.
 */
import type { Mutant } from "./mutant.ts";

const TOTALS = ["test/ledger_queue/totals.test.ts"];
const COUNTS = ["test/ledger_queue/counts.test.ts"];
const CHANGES = ["test/ledger_queue/changes.test.ts"];

/** Faults that would let a count be another than that of the rows. */
export const COUNTS_MUTANTS: readonly Mutant[] = [
  {
    name: "counts: follow nothing that this process does",
    file: "src/ledger/replica.ts",
    find: '      this.#database.all("RELEASE operation");\n      this.#tallies.tell(moves);\n',
    replace: '      this.#database.all("RELEASE operation");\n',
    tests: COUNTS,
  },
  {
    name: "counts: follow nothing that another process does",
    file: "src/ledger/replica.ts",
    find: "    this.#tallies.tell(moves);\n    return changes;",
    replace: "    return changes;",
    tests: COUNTS,
  },
  {
    name: "counts: count what was undone",
    file: "src/ledger/replica.ts",
    find: "    if (move !== undefined) moves.push(move);\n",
    replace: "    if (move !== undefined) this.#tallies.tell([move]);\n",
    tests: COUNTS,
  },
  {
    name: "counts: keep counts of a transaction that is gone",
    file: "src/ledger/replica.ts",
    find: '    this.#tallies.forget();\n    this.#database.all("ROLLBACK");',
    replace: '    this.#database.all("ROLLBACK");',
    tests: COUNTS,
  },
  {
    name: "counts: look at the status only",
    file: "src/ledger/tallies.ts",
    find: "    if (!changed.some((place) => places.includes(place))) return undefined;\n",
    replace: "    if (!changed.includes(places[2]!)) return undefined;\n",
    tests: COUNTS,
  },
  {
    name: "counts: forget that a row was removed",
    file: "src/ledger/tallies.ts",
    find:
      "return { tally, before: rowBefore(database, table, tally, change.key), after: undefined };",
    replace: "return undefined;",
    tests: COUNTS,
  },
  {
    name: "counts: count what a walk has yet to come to",
    file: "src/ledger_queue/insight/task_counts.ts",
    find: "    if (walk !== this.#over) return walk < this.#over;\n",
    replace: "    if (walk !== this.#over) return true;\n",
    tests: COUNTS,
  },
  {
    name: "counts: take the order of texts from JavaScript",
    file: "src/domain/text_order.ts",
    find: "  if (unit < 0xd800) return unit;\n",
    replace: "  if (unit < 0xffff) return unit;\n",
    tests: COUNTS,
  },
  {
    name: "search: give again what a step before gave",
    file: "src/queue_policy/search_request.ts",
    find: "  return SEARCH_STEPS.slice(0, SEARCH_STEPS.indexOf(step)).some((each) => named[each]);",
    replace: "  return step !== step && named[step];",
    tests: CHANGES,
  },
  {
    name: "search: pass over what is behind the last one found in a slice",
    file: "src/ledger_queue/insight/search.ts",
    find: "  const isCut = found.length === wanted || page.length < found.length;\n",
    replace: "  const isCut = false;\n",
    tests: CHANGES,
  },
  {
    name: "search: find by what the dashboard masks",
    file: "dashboard/task_filter.ts",
    find: "    found.push(...page.tasks.filter(isShown));\n",
    replace: "    found.push(...page.tasks);\n    void isShown;\n",
    tests: ["test/dashboard/pages.test.ts"],
  },
  {
    name: "counts: due tasks are only those that a claim has seen",
    file: "src/ledger_queue/insight/due.ts",
    find: "  for (const row of reader.read(DUE_SQL.come, [nowMs])) {\n",
    replace: "  for (const row of reader.read(DUE_SQL.come, [0])) {\n",
    tests: COUNTS,
  },
  {
    name: "counts: measure a window with what was left out",
    file: "src/ledger_queue/insight/recent.ts",
    find: "const isTruncated = this.#part.leftOutAtMs >= this.#nowMs - this.#windowMs;",
    replace: "const isTruncated = false;",
    tests: COUNTS,
  },
  {
    name: "counts: a window is added up in one step",
    file: "src/ledger_queue/insight/recent.ts",
    find: "Math.min(this.#end, begin + this.#part.step)",
    replace: "this.#end",
    tests: COUNTS,
  },
  {
    name: "counts: a window is answered in the step that read or added up the last of it",
    file: "src/ledger_queue/insight/recent.ts",
    find: "return rows.length > STEP / 4;",
    replace: "return rows.length === STEP;",
    tests: COUNTS,
  },
  {
    name: "counts: look for where the latest transitions begin in one step",
    file: "src/ledger_queue/insight/recent.ts",
    find: "Math.min(this.#backLeft, BACK_STEP)",
    replace: "this.#backLeft",
    tests: COUNTS,
  },
  {
    name: "counts: long reads do their steps in the same turn",
    file: "src/ledger_queue/ledger_access.ts",
    find: "this.#nextStep = this.#nextStep.then(() => sleep(systemClock, 0));",
    replace: "this.#nextStep = sleep(systemClock, 0);",
    tests: COUNTS,
  },
  {
    name: "counts: a window keeps what was deleted",
    file: "src/ledger_queue/insight/recent.ts",
    find: "if (deleted.length > 0) this.#drop(new Set(deleted));",
    replace: "",
    tests: ["test/ledger_queue/queue_operations.test.ts"],
  },
  {
    name: "totals: delete transitions that are not counted",
    file: "src/ledger_queue/tasks/remove.ts",
    find: "  countBeforeRemoval(tx, keys);\n",
    replace: "",
    tests: TOTALS,
  },
  {
    name: "totals: count again what was counted",
    file: "src/ledger_queue/rows/totals.ts",
    find: "  store(tx, UP_TO, String(rows.at(-1)![0]));\n",
    replace: "",
    tests: TOTALS,
  },
  {
    name: "totals: an answer adds up everything in one step",
    file: "src/ledger_queue/rows/totals.ts",
    find: "[this.#upTo, COUNT_MAX]",
    replace: "[this.#upTo, -1]",
    tests: TOTALS,
  },
  {
    name: "totals: an answer misses what is deleted between its slices",
    file: "src/ledger_queue/rows/totals.ts",
    find: "if (storedUpTo > this.#upTo) {",
    replace: "if (this.#upTo < 0) {",
    tests: TOTALS,
  },
  {
    name: "totals: a prune counts everything in one step",
    file: "src/ledger_queue/duties.ts",
    find: "    await this.count();\n    for (const status",
    replace: "    for (const status",
    tests: TOTALS,
  },
  {
    name: "totals: PostgreSQL deletes transitions that are not counted",
    file: "src/postgres_queue/rows/totals.ts",
    find: "on (p.tx, p.step) > (c.tx, c.step)",
    replace: "on (p.tx, p.step) < (c.tx, c.step)",
    tests: ["test/postgres_queue/queue_operations.test.ts"],
  },
  {
    name: "measures: instruments of a provider that is gone",
    file: "src/queue_policy/instruments.ts",
    find: "if (known?.provider !== provider)",
    replace: "if (known === undefined)",
    tests: ["test/worker/attempt_span.test.ts"],
  },
];
