/**
 * Known tasks: what a queue has of what records name, read for some hundreds of records at once.
 */
import { makeUpRunId } from "../../domain/run_id.ts";
import {
  type ImportLookup,
  type ImportPlan,
  ImportPlanner,
  type KnownTask,
  mayGiveWay,
} from "../../queue_policy/import_plan.ts";
import { keyOf } from "../../queue_policy/flow.ts";
import type { PreparedImport } from "../../queue_policy/prepared_import.ts";
import { planSchedules } from "../../queue_policy/schedule_import_plan.ts";
import type { PreparedRecord } from "../../queue_policy/task_record.ts";
import type { RecordImportOptions } from "../../queue/records.ts";
import type { Row, Statements } from "../rows/database.ts";
import { flowNow } from "../rows/flow_rows.ts";
import { prunedIds } from "../rows/used_ids.ts";
import { allSchedules } from "../schedules/schedule_row.ts";
import { STATUS } from "../rows/task_row.ts";
import { parts, recordParts } from "./parts.ts";

const SELECT = `select t.id, t.run_id, lane.type, t.payload, t.idempotency_key, t.created_at,
    coalesce(v.updated_at, t.updated_at) as updated_at, ${STATUS} as status
  from @task t join @lane lane using (lane_id) left join @live v on v.id = t.id`;

/** The statements; `$1` is an array of names. */
const KNOWN_SQL = {
  byIds: `${SELECT} where t.id = any($1)`,
  byRunIds: `${SELECT} where t.run_id = any($1)`,
  /** Run ids that were made up for the same ids (see `makeUpRunId`): `/` comes behind `.`. */
  madeUp: `select known.* from unnest($1::text[]) as base(name) cross join lateral (
      ${SELECT} where t.run_id > base.name || '.' and t.run_id < base.name || '/') as known`,
  idsByKey: "select id, idempotency_key from @task where idempotency_key = any($1)",
  idsByRunId: "select id, run_id from @task where run_id = any($1)",
} as const;

/** What storing the records would come to; ids up to `usedUpTo` are used. */
export async function planImport(
  tx: Statements,
  prepared: PreparedImport,
  { renumber = false, usedUpTo }: RecordImportOptions & { readonly usedUpTo: number },
): Promise<ImportPlan> {
  const planner = new ImportPlanner(prepared, { renumber });
  for (const part of recordParts(prepared.records)) {
    const lookup = await lookUp(tx, part, { renumber, usedUpTo });
    for (const record of part) planner.place(record, lookup);
  }
  const awaited = planner.awaitedParents().map(({ parent }) => parent.runId);
  const parents = await idsByRunId(tx, awaited);
  const stored = (await allSchedules(tx)).map(({ schedule }) => schedule);
  const byId = new Map(stored.map((schedule) => [schedule.schedule_id, schedule]));
  const schedules = planSchedules(prepared.schedules, (id) => byId.get(id), stored.length);
  const limited = new Set((await flowNow(tx)).rows.map(keyOf));
  return planner.plan((runId) => parents.has(runId), { schedules, limited });
}

/** The ids of the tasks that have these run ids. */
export async function idsByRunId(
  tx: Statements,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const ids = new Map<string, number>();
  for (const part of parts([...new Set(runIds)])) {
    for (const { id, run_id } of await tx.query(KNOWN_SQL.idsByRunId, [part])) {
      ids.set(String(run_id), Number(id));
    }
  }
  return ids;
}

/** What is here of these records; of those whose task is here, nothing else is asked. */
async function lookUp(
  tx: Statements,
  records: readonly PreparedRecord[],
  { renumber, usedUpTo }: { readonly renumber: boolean; readonly usedUpTo: number },
): Promise<ImportLookup> {
  const ids = renumber ? [] : records.map(({ id }) => id);
  const withIds = renumber ? [] : await tx.query(KNOWN_SQL.byIds, [ids]);
  const byId = new Map(withIds.map(knownTask).map((task) => [task.id, task]));
  const rest = records.filter(({ id }) => !byId.has(id));
  const unsure = ids.filter((id) => id > usedUpTo && !byId.has(id));
  const [named, keyed, pruned] = await Promise.all([
    findNamed(tx, rest),
    findKeyed(tx, rest),
    prunedIds(tx, unsure),
  ]);
  const byRunId = new Map(named.map((task) => [task.run_id, task]));
  return {
    byId: (id) => byId.get(id),
    byRunId: (runId) => byRunId.get(runId),
    idByKey: (key) => keyed.get(key),
    isUsed: (id) => id <= usedUpTo || pruned.has(id),
  };
}

/** The tasks that have the run ids of records, or others that were made up for their ids. */
async function findNamed(
  tx: Statements,
  records: readonly PreparedRecord[],
): Promise<KnownTask[]> {
  const madeUp = records.filter(mayGiveWay).map(({ id }) => makeUpRunId(id));
  const runIds = [...new Set([...records.map(({ run_id }) => run_id), ...madeUp])];
  const found = await Promise.all([
    runIds.length > 0 ? tx.query(KNOWN_SQL.byRunIds, [runIds]) : [],
    madeUp.length > 0 ? tx.query(KNOWN_SQL.madeUp, [madeUp]) : [],
  ]);
  return found.flat().map(knownTask);
}

async function findKeyed(
  tx: Statements,
  records: readonly PreparedRecord[],
): Promise<ReadonlyMap<string, number>> {
  const keys = records.flatMap(({ idempotency_key }) => idempotency_key ?? []);
  if (keys.length === 0) return new Map();
  const rows = await tx.query(KNOWN_SQL.idsByKey, [keys]);
  return new Map(rows.map(({ id, idempotency_key }) => [String(idempotency_key), Number(id)]));
}

function knownTask(row: Row): KnownTask {
  return row as unknown as KnownTask;
}
