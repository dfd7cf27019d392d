/**
 * Mutants of rates.
 */
import type { Mutant } from "./mutant.ts";

const RULES = ["test/property/start_rate.test.ts"];
const RATES = ["test/ledger_queue/rates.test.ts"];
const POSTGRES = ["test/postgres_queue/rates.test.ts"];

/** Faults that would let too many tasks start in a window, or keep what may start from it. */
export const RATE_MUTANTS: readonly Mutant[] = [
  {
    name: "rates: the burst comes on top of the limit",
    file: "src/queue_policy/start_rate.ts",
    find: "Math.ceil(periodMs * 1000 / (limit - burst + 1))",
    replace: "Math.ceil(periodMs * 1000 / limit) + 0 * burst",
    tests: RULES,
  },
  {
    name: "rates: a part of a millisecond may be left out",
    file: "src/queue_policy/start_rate.ts",
    find: "Math.ceil(opensUs / 1000)",
    replace: "Math.floor(opensUs / 1000)",
    tests: RULES,
  },
  {
    name: "rates: a bucket may be further ahead than its rate can bring it",
    file: "src/queue_policy/start_rate.ts",
    find: "Math.min(Math.max(tatUs ?? nowUs, nowUs), nowUs + fullUs(rate))",
    replace: "Math.max(tatUs ?? nowUs, nowUs)",
    tests: RULES,
  },
  {
    name: "rates: time in which nothing started may be made up for",
    file: "src/queue_policy/start_rate.ts",
    find: "Math.max(tatUs ?? nowUs, nowUs)",
    replace: "(tatUs ?? nowUs)",
    tests: RULES,
  },
  {
    name: "rates: what a clock or another rate has left is not put back",
    file: "src/ledger_queue/duties.ts",
    find: "    if (found.hasFarBucket) await this.#mendBuckets();\n",
    replace: "",
    tests: RATES,
  },
  {
    name: "rates: a start is charged before every rate allows it",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "  const { chosen, lines, isCut } = chooseTasks(tx, request, nowMs);\n",
    replace:
      '  charge(tx, { flow: flowOf(tx), started: request.types.map((type) => ({ type, grp: "" })), nowMs });\n' +
      "  const { chosen, lines, isCut } = chooseTasks(tx, request, nowMs);\n",
    tests: RATES,
  },
  {
    name: "rates: a claim charges no rate",
    file: "src/ledger_queue/tasks/claim.ts",
    find: "  charge(tx, { flow: flowOf(tx), started: leased.map(placeOf), nowMs });\n",
    replace: "",
    tests: RATES,
  },
  {
    name: "rates: a first lease charges no rate",
    file: "src/ledger_queue/tasks/enqueue.ts",
    find: "    charge(tx, { flow: flowOf(tx), started: [placeOf(row)], nowMs });\n",
    replace: "",
    tests: RATES,
  },
  {
    name: "rates: a group that closes does not know when its rate allows a start",
    file: "src/ledger_queue/rows/group_room.ts",
    find: "    ...nextRatesMs(reader, flow.groupRatesOf(key), nowMs),\n",
    replace: "",
    tests: RATES,
  },
  {
    name: "rates: a group whose slot ends while its rate is spent waits for ever",
    file: "src/ledger_queue/rows/group_room.ts",
    find: "    else if (mayOpenByTime(tx, group, nowMs)) {",
    replace: "    else if (flowOf(tx).groupRatesOf(group).length < 0) {",
    tests: RATES,
  },
  {
    name: "rates: nobody is woken when a rate allows the next start",
    file: "src/ledger_queue/rows/flow_rows.ts",
    find: "    ...(flow.hasRates ? nextRatesMs(reader, flow.wideRates, nowMs) : []),\n",
    replace: "",
    tests: RATES,
  },
  {
    name: "rates: buckets that are past stay",
    file: "src/ledger_queue/rows/buckets.ts",
    find: "    tx.remove(BUCKET_TABLE, [type!, grp!]);\n",
    replace: "    if (type === null) tx.remove(BUCKET_TABLE, [type, grp!]);\n",
    tests: RATES,
  },
  {
    name: "PostgreSQL: a claim charges no rate",
    file: "src/postgres_queue/tasks/claim.ts",
    find: "    if (rows.length > 0) await chargeRows(statements, flow, rows);\n",
    replace: "",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: claims in turns read no buckets of groups",
    file: "src/postgres_queue/tasks/claim_groups.ts",
    find: "    ...groups.of(groupedId ?? -1).map(({ grp }) => ({ type, grp })),\n",
    replace: '    ...groups.of(groupedId ?? -1).map(() => ({ type, grp: "" })),\n',
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: a first lease charges no rate",
    file: "src/postgres_queue/tasks/enqueue.ts",
    find: "  await chargeStarts();\n",
    replace: "",
    tests: POSTGRES,
  },
];
