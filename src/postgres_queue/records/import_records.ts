/**
 * Importing: tasks of another queue come in as they are, with their ids, attempts, times and webhooks, and its schedules
 * with them.
 *
 * All of them or none, in one transaction, one import after the other; `queue_policy/import_plan.ts` says what is new.
 * Nothing is stored when there is a conflict. When others store something under the same ids or names meanwhile, the
 * import begins anew, and finds it.
 */
import { isFinal } from "../../domain/task.ts";
import type { RecordImport, RecordImportOptions } from "../../queue/records.ts";
import {
  type ImportPlan,
  isRefused,
  openParentsOf,
  reportOf,
} from "../../queue_policy/import_plan.ts";
import type { PreparedImport } from "../../queue_policy/prepared_import.ts";
import type { PreparedScheduleRecord } from "../../queue_policy/schedule_record.ts";
import type { PreparedRecord } from "../../queue_policy/task_record.ts";
import { type Columns, ENDED_COLUMNS, GIVEN_COLUMNS, givenRows, namesOf } from "../rows/columns.ts";
import type { Statements } from "../rows/database.ts";
import { DELIVERY_LANE, type LaneName, type Lanes } from "../rows/lanes.ts";
import type { TaskRow } from "../rows/task_row.ts";
import { importedUpTo, lockImports, noteImported } from "../rows/used_ids.ts";
import { addLimits } from "../tasks/limits.ts";
import { RunAgainError, type Work } from "../rows/work.ts";
import { addSchedules } from "../schedules/schedule_row.ts";
import { propagateToChildren } from "../tasks/propagate.ts";
import { ImportParents } from "./import_parents.ts";
import { idsByRunId, planImport } from "./known_tasks.ts";
import { parts, recordParts } from "./parts.ts";

/** What an import needs of its queue. */
export interface ImportAccess {
  readonly lanes: Lanes;
  read<T>(run: (tx: Statements) => Promise<T>): Promise<T>;
  writeIfOpen<T>(run: (work: Work) => Promise<T>): Promise<T>;
  /** Tells that tasks have changed. */
  changed(rows: "many"): void;
}

/** What a record's task has in `task`. */
export const STORED_COLUMNS: Columns = { ...GIVEN_COLUMNS, ...ENDED_COLUMNS };

const IMPORT_SQL = {
  /** `$1` is a JSON array of rows, `$2` the time. */
  addTasks: `with added as (
      insert into @task (${namesOf(STORED_COLUMNS)}) select ${namesOf(STORED_COLUMNS)} from ${
    givenRows(STORED_COLUMNS)
  }
      on conflict do nothing returning id),
    told as (
      insert into @transition (task_id, at, kind)
      select id, $2::bigint, 'imported' from added order by id)
    select count(*)::int as added from added`,
} as const;

/** Stores the records that are new, unless something is wrong, or only what would happen was asked for. */
export async function importRecords(
  access: ImportAccess,
  prepared: PreparedImport,
  options: RecordImportOptions,
): Promise<RecordImport> {
  if (options.dryRun) {
    return await access.read(async (tx) => {
      const usedUpTo = await importedUpTo(tx);
      const plan = await planImport(tx, prepared, { ...options, usedUpTo });
      return reportOf(plan, prepared, undefined);
    });
  }
  await access.lanes.ensure(lanesOf(prepared.records));
  const report = await access.writeIfOpen((work) => store(work, prepared, options));
  if (report.storedIds.length > 0) access.changed("many");
  return report;
}

function lanesOf(records: readonly PreparedRecord[]): LaneName[] {
  const lanes = new Map<string, LaneName>();
  const note = ({ type, compatibility, grp }: LaneName): void => {
    lanes.set(JSON.stringify([type, compatibility, grp !== ""]), { type, compatibility, grp });
  };
  for (const record of records) note(record);
  if (records.some(({ webhook }) => webhook !== null)) {
    note(DELIVERY_LANE);
  }
  return [...lanes.values()];
}

async function store(
  work: Work,
  prepared: PreparedImport,
  options: RecordImportOptions,
): Promise<RecordImport> {
  const { renumber = false } = options;
  const usedUpTo = await lockImports(work.tx);
  const plan = await planImport(work.tx, prepared, { renumber, usedUpTo });
  if (isRefused(plan, prepared, options)) return reportOf(plan, prepared, undefined);
  const storedIds = await storeTasks(work, plan, { renumber, usedUpTo });
  await storeSchedules(work.tx, plan.schedules.additions);
  await addLimits(work, plan.limits);
  return reportOf(plan, prepared, storedIds);
}

/** Stores the new tasks with what belongs to them; their ids here. */
async function storeTasks(
  work: Work,
  { additions }: ImportPlan,
  { renumber, usedUpTo }: { readonly renumber: boolean; readonly usedUpTo: number },
): Promise<readonly number[]> {
  const last = additions.at(-1);
  if (last === undefined) return [];
  const ids = renumber
    ? await work.takeIds(additions.length)
    : additions.map((record) => record.id);
  if (!renumber) await noteImported(work.tx, last.id);
  const lastKept = renumber ? 0 : Math.max(usedUpTo, last.id);
  const parents = new ImportParents(additions, ids);
  await parents.find(work, { renumber, lastKept });
  for (const part of recordParts(additions)) await storePart(work, part, parents);
  await propagateToChildren(work, await parents.over(work));
  await work.flush();
  return ids;
}

async function storePart(
  work: Work,
  records: readonly PreparedRecord[],
  parents: ImportParents,
): Promise<void> {
  const rows = records.map((record) => rowOf(work, record, parents));
  const input = JSON.stringify(rows.map(storedRow));
  const [answer] = await work.tx.query(IMPORT_SQL.addTasks, [input, work.context.nowMs]);
  if (Number(answer!.added) < rows.length) {
    throw new RunAgainError("an id, a run id or a key was taken meanwhile");
  }
  for (const [i, record] of records.entries()) {
    work.addTags(rows[i]!);
    if (record.webhook !== null) work.addWebhook({ task_id: rows[i]!.id, ...record.webhook });
    for (const dependency of parents.dependenciesOf(record)) work.addDependency(dependency);
  }
  await Promise.all([work.addLive(rows.filter(({ status }) => !isFinal(status))), work.flush()]);
}

/** The row of a record's task here. */
function rowOf(work: Work, record: PreparedRecord, parents: ImportParents): TaskRow {
  const { parents: _parents, webhook, ...carried } = record;
  return {
    ...carried,
    id: parents.idOf(record),
    lane_id: work.context.lanes.idOf(record),
    lease_until: null,
    ...behindUntilSettled(work, record, openParentsOf(record)),
    followed: record.ordering_key !== null || webhook !== null || parents.hasChildren(record),
  };
}

/** A task under an ordering key waits for its turn until the key is settled. */
export function behindUntilSettled(
  work: Work,
  { ordering_key: key, status }: Pick<TaskRow, "ordering_key" | "status">,
  waitsFor: number,
): Pick<TaskRow, "waits_for" | "is_behind"> {
  if (key === null) return { waits_for: waitsFor, is_behind: null };
  work.unsettled.add(key);
  if (isFinal(status)) return { waits_for: waitsFor, is_behind: null };
  return { waits_for: waitsFor + 1, is_behind: true };
}

/** What `task` has of a row: of a task that is not final, nothing that changes. */
export function storedRow(row: TaskRow): unknown {
  if (isFinal(row.status)) return { ...row, outcome: row.status };
  const names = [...Object.keys(GIVEN_COLUMNS), "result"] as (keyof TaskRow)[];
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}

/** Stores the schedules that are new, once the tasks of the same file are stored. */
export async function storeSchedules(
  tx: Statements,
  additions: readonly PreparedScheduleRecord[],
): Promise<void> {
  const lastTasks = await idsByRunId(tx, additions.flatMap(({ lastRunId }) => lastRunId ?? []));
  for (const part of parts(additions)) {
    const rows = part.map(({ row, lastRunId }) => ({
      ...row,
      last_task_id: lastRunId === null ? null : lastTasks.get(lastRunId) ?? null,
    }));
    const added = await addSchedules(tx, rows);
    if (added.length < rows.length) throw new RunAgainError("a schedule's id was taken meanwhile");
  }
}
