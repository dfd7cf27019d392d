/**
 * What an import comes to: which records are new here, which are here already, were here, or do not go together with what is.
 *
 * An id is used once in a queue, so a record whose id is used already is the task that is there, or one that was there and is
 * gone, or a conflict. Records are placed in order of their ids, in parts of any size, each with what is known of it.
 */
import { isSameJson } from "../domain/json.ts";
import { isMadeUpRunId, makeUpRunId } from "../domain/run_id.ts";
import { isFinal, type TaskStatus } from "../domain/task.ts";
import type {
  ParentRecord,
  RecordImport,
  RecordImportOptions,
  RecordProblem,
} from "../queue/records.ts";
import { keyOf } from "./flow.ts";
import type { StoredLimit } from "./limit_request.ts";
import type { PreparedImport } from "./prepared_import.ts";
import type { SchedulePlan } from "./schedule_import_plan.ts";
import type { PreparedRecord } from "./task_record.ts";

/** A task that is here, as far as a record is compared with it; instants are milliseconds since 1970. */
export interface KnownTask {
  readonly id: number;
  readonly run_id: string;
  readonly type: string;
  /** JSON. */
  readonly payload: string;
  readonly idempotency_key: string | null;
  readonly status: TaskStatus;
  readonly created_at: number;
  readonly updated_at: number;
}

/** Finds what is here of what records name. */
export interface ImportLookup {
  /** The task with this id. */
  readonly byId: (id: number) => KnownTask | undefined;
  /** The task with this run id. */
  readonly byRunId: (runId: string) => KnownTask | undefined;
  /** The id of the task with this idempotency key. */
  readonly idByKey: (key: string) => number | undefined;
  /** Whether a task that is not here may have used this id. */
  readonly isUsed: (id: number) => boolean;
}

/** What storing the records would come to. */
export interface ImportPlan {
  /** The records that are new, as they are to be stored. */
  readonly additions: readonly PreparedRecord[];
  readonly present: readonly number[];
  readonly gone: readonly number[];
  readonly conflicts: readonly RecordProblem[];
  readonly schedules: SchedulePlan;
  /** The limits and pauses of scopes that have none here. */
  readonly limits: readonly StoredLimit[];
}

/** What is here beside tasks, as far as an import has to do with it. */
export interface PlanBeside {
  readonly schedules: SchedulePlan;
  /** The scopes that have a limit or a pause here, by `keyOf`. */
  readonly limited: ReadonlySet<string>;
}

/** Makes the plan of one import. */
export class ImportPlanner {
  readonly #renumber: boolean;
  readonly #runIds: ReadonlySet<string>;
  readonly #limits: readonly StoredLimit[];
  readonly #additions: PreparedRecord[] = [];
  readonly #present: number[] = [];
  readonly #gone: number[] = [];
  readonly #differences: RecordProblem[] = [];
  readonly #takenNames: RecordProblem[] = [];

  constructor({ records, limits }: PreparedImport, { renumber = false }: RecordImportOptions) {
    this.#renumber = renumber;
    this.#limits = limits;
    this.#runIds = new Set(records.map(({ run_id }) => run_id));
  }

  /** Says what a record is here. */
  place(record: PreparedRecord, lookup: ImportLookup): void {
    const { id } = record;
    const { found, storable } = this.#find(record, lookup);
    if (found === undefined) {
      if (!this.#renumber && lookup.isUsed(id)) this.#gone.push(id);
      else this.#add(storable, lookup);
      return;
    }
    const reason = whyConflict(found, record);
    if (reason === undefined) this.#present.push(id);
    else this.#differences.push({ id, reason });
  }

  /** The parents that new tasks wait for and that are not new themselves; they must be here. */
  awaitedParents(): readonly { readonly childId: number; readonly parent: ParentRecord }[] {
    const added = new Set(this.#additions.map(({ id }) => id));
    return this.#additions.filter(({ status }) => status === "queued").flatMap(({ id, parents }) =>
      parents.filter(({ state, taskId }) => state === "open" && !added.has(taskId))
        .map((parent) => ({ childId: id, parent }))
    );
  }

  /** The plan, once every record has been placed. */
  plan(isHere: (runId: string) => boolean, { schedules, limited }: PlanBeside): ImportPlan {
    const isKnown = this.#present.length > 0;
    const conflicts = [
      ...this.#differences,
      ...this.#takenNames,
      ...missingParents(this.awaitedParents(), isHere),
      // Some of the file's tasks here prove that it was imported before; without one, the ids are simply used.
      ...(isKnown ? [] : this.#gone.map(usedId)),
      ...schedules.conflicts.map((reason) => ({ id: null, reason })),
    ];
    return {
      additions: this.#renumber ? inOrder(this.#additions) : this.#additions,
      present: this.#present,
      gone: isKnown ? this.#gone : [],
      conflicts,
      schedules,
      limits: this.#limits.filter((limit) => !limited.has(keyOf(limit))),
    };
  }

  #add(storable: PreparedRecord, lookup: ImportLookup): void {
    this.#additions.push(storable);
    this.#takenNames.push(...nameConflicts(storable, lookup));
  }

  /**
   * The task that a record is here, or that record as it can be stored: a run id that was made up, and that another task
   * has, gives way to one that is free.
   */
  #find(
    record: PreparedRecord,
    { byId, byRunId }: ImportLookup,
  ): { readonly found: KnownTask | undefined; readonly storable: PreparedRecord } {
    const { id, run_id: runId } = record;
    const withId = this.#renumber ? undefined : byId(id);
    if (withId !== undefined) return { found: withId, storable: record };
    if (!mayGiveWay(record)) {
      return { found: this.#renumber ? byRunId(runId) : undefined, storable: record };
    }
    for (let n = 0;; n++) {
      const candidate = makeUpRunId(id, n);
      if (candidate !== runId && this.#runIds.has(candidate)) continue;
      const found = byRunId(candidate);
      if (found === undefined) return { found, storable: { ...record, run_id: candidate } };
      if (this.#renumber && isSameTask(found, record)) return { found, storable: record };
    }
  }
}

/** Tasks that get new ids stand in the order of those: each comes where its place under its ordering key was. */
function inOrder(records: readonly PreparedRecord[]): readonly PreparedRecord[] {
  const placeOf = ({ id, ordering_place }: PreparedRecord): number => ordering_place ?? id;
  return records.toSorted((a, b) => placeOf(a) - placeOf(b) || a.id - b.id)
    .map((record) => ({ ...record, ordering_place: null }));
}

/** Whether a record's run id was made up, so that it may be stored with another of its kind (see `makeUpRunId`). */
export function mayGiveWay(
  { id, run_id: runId, idempotency_key }: Pick<PreparedRecord, "id" | "run_id" | "idempotency_key">,
): boolean {
  return idempotency_key === null && isMadeUpRunId({ id, runId });
}

/** Whether nothing is stored: something does not go together, or is wrong and not to be skipped. */
export function isRefused(
  { conflicts }: ImportPlan,
  { problems }: PreparedImport,
  { skipInvalid = false }: RecordImportOptions,
): boolean {
  return conflicts.length > 0 || (problems.length > 0 && !skipInvalid);
}

/** What is told of an import; `storedIds` are the ids that the additions have here now. */
export function reportOf(
  { additions, present, gone, conflicts, schedules, limits }: ImportPlan,
  { problems, limits: given }: PreparedImport,
  storedIds: readonly number[] | undefined,
): RecordImport {
  return {
    stored: storedIds !== undefined,
    additions: additions.map(({ id }) => id),
    storedIds: storedIds ?? [],
    present,
    gone,
    problems,
    conflicts,
    schedules: {
      additions: schedules.additions.map(({ row }) => row.schedule_id),
      present: schedules.present,
    },
    limits: { added: limits.length, present: given.length - limits.length },
  };
}

/** What ids of the file are here. */
export interface KnownIds {
  /** The ids that its new tasks have here, by those that they have in the file. */
  readonly added: ReadonlyMap<number, number>;
  /** The id of the task that has this run id here. */
  readonly byRunId: (runId: string) => number | undefined;
  /** Whether this id of the file means the same task here: none has it, and none will. */
  readonly isKept: (id: number) => boolean;
}

/** The id that a parent has here, or had; for one that is gone, an id that no task has: its children are not to be taken for another's. */
export function parentIdHere(
  { taskId, runId }: ParentRecord,
  position: number,
  { added, byRunId, isKept }: KnownIds,
): number {
  const known = added.get(taskId) ?? byRunId(runId);
  if (known !== undefined) return known;
  return taskId > 0 && isKept(taskId) ? taskId : -1 - position;
}

/** How many parents a record's task waits for. */
export function openParentsOf({ status, parents }: PreparedRecord): number {
  return status === "queued" ? parents.filter(({ state }) => state === "open").length : 0;
}

/** Why the task that was found is not simply the record's; `undefined` when it is. */
function whyConflict(found: KnownTask, record: PreparedRecord): string | undefined {
  if (!isSameTask(found, record)) {
    return `Task ${found.id} of this queue is another one, of type ${
      JSON.stringify(found.type)
    }, created at ${new Date(found.created_at).toISOString()}`;
  }
  const isFurther = (isFinal(record.status) && !isFinal(found.status)) ||
    secondOf(record.updated_at) > secondOf(found.updated_at);
  if (!isFurther) return undefined;
  return `Task ${found.id} is ${found.status} in this queue and has since become ${record.status} elsewhere: ` +
    "import the file into a new queue";
}

/** Whether both came from the same enqueue. The original's texts have seconds only, and a run id is its task's key there. */
function isSameTask(found: KnownTask, record: PreparedRecord): boolean {
  const key = found.idempotency_key ?? (record.idempotency_key === null ? null : found.run_id);
  return found.type === record.type && key === record.idempotency_key &&
    secondOf(found.created_at) === secondOf(record.created_at) &&
    isSameJson(found.payload, record.payload);
}

function secondOf(atMs: number): number {
  return Math.floor(atMs / 1000);
}

function nameConflicts(
  { id, run_id, idempotency_key }: PreparedRecord,
  { byRunId, idByKey }: ImportLookup,
): RecordProblem[] {
  const holders: readonly [what: string, name: string | null, holder: number | undefined][] = [
    ["run id", run_id, byRunId(run_id)?.id],
    [
      "idempotency key",
      idempotency_key,
      idempotency_key === null ? undefined : idByKey(idempotency_key),
    ],
  ];
  return holders.flatMap(([what, name, holder]) =>
    holder === undefined
      ? []
      : [{ id, reason: `Task ${holder} has ${what} ${JSON.stringify(name)}` }]
  );
}

/** A parent that is neither in the file nor here would hold its child up for ever; the first of each child is told. */
function missingParents(
  awaited: ReturnType<ImportPlanner["awaitedParents"]>,
  isHere: (runId: string) => boolean,
): RecordProblem[] {
  const told = new Map<number, RecordProblem>();
  for (const { childId, parent: { taskId, runId } } of awaited) {
    if (told.has(childId) || isHere(runId)) continue;
    const parent = `task ${taskId} (run ${JSON.stringify(runId)})`;
    const reason = `It waits for ${parent}, which is neither in the file nor here`;
    told.set(childId, { id: childId, reason });
  }
  return [...told.values()];
}

function usedId(id: number): RecordProblem {
  return { id, reason: `Id ${id} was used in this queue by a task that is gone` };
}
