/**
 * Run ids of tasks that came without one.
 */

/** The run id of a task that came without one: by its id where it comes from, which may be another's here. */
export function makeUpRunId(id: unknown, n = 0): string {
  return n === 0 ? `task-${id}` : `task-${id}.${n}`;
}

/** Whether a run id was made up for this task, so that another one would do as well. */
export function isMadeUpRunId(
  { id, runId }: { readonly id: unknown; readonly runId: string },
): boolean {
  const prefix = makeUpRunId(id);
  return runId === prefix ||
    (runId.startsWith(`${prefix}.`) && /^[1-9]\d*$/.test(runId.slice(prefix.length + 1)));
}
