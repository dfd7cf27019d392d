/**
 * RemoteChanges: what a person does to tasks of a queue behind a server.
 *
 * A change whose answer was lost is asked for again where that is harmless, and recognised where it was done.
 */
import { checkTaskId } from "../domain/check.ts";
import { QueueError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Task } from "../domain/task.ts";
import type { BulkReport, BulkRequest } from "../queue/bulk.ts";
import type { QueueChanges, TaskReplacement, TaskUpdate, UpdateOptions } from "../queue/changes.ts";
import type { ChangedBy } from "../queue/limits.ts";
import { prepareBulk } from "../queue_policy/bulk_request.ts";
import { prepareBy } from "../queue_policy/changed_by.ts";
import { type Decode, json, nullable, number, object, text } from "./answer.ts";
import { task } from "./answers.ts";
import { errorCodeOf } from "./refusal.ts";
import { RemoteOperator } from "./remote_operator.ts";
import { bulkBody, byHandPath, queryOf, replacementBody, updateBody } from "./request.ts";

const bulkReport: Decode<BulkReport> = object<BulkReport>({
  matched: number,
  changed: number,
  doneUpToId: number,
  upToId: number,
  cursor: nullable(text),
});

/** The part of `HttpQueue` that changes tasks by hand. */
export abstract class RemoteChanges extends RemoteOperator implements QueueChanges {
  abstract get(id: number): Promise<Task | undefined>;
  abstract getByRunId(runId: string): Promise<Task | undefined>;

  async cancel(id: number, options: ChangedBy = {}): Promise<boolean> {
    const path = byHandPath(checkTaskId(id), "cancel", options);
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const cancelled = await this.#byHand(path, { resend: true, onDoubt });
    if (cancelled || !isInDoubt) return cancelled;
    return (await this.get(id))?.status === "cancelled";
  }

  async retry(id: number, options: ChangedBy = {}): Promise<boolean> {
    // Not sent again: the task may have run and failed meanwhile.
    return await this.#byHand(byHandPath(checkTaskId(id), "retry", options), {});
  }

  async update(id: number, changes: TaskUpdate, options: UpdateOptions = {}): Promise<Task> {
    const path = `queue/tasks/${checkTaskId(id)}`;
    const body = updateBody(changes, options);
    const question = { method: "PATCH", path, body, resend: true } as const;
    return this.toldOne(await this.connection.ask(question, task));
  }

  async replace(
    id: number,
    replacement: TaskReplacement,
    options: UpdateOptions = {},
  ): Promise<Task> {
    const path = `queue/tasks/${checkTaskId(id)}/replace`;
    const body = replacementBody(replacement, options);
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const question = { method: "POST", path, body, resend: true, onDoubt } as const;
    const stored = await this.connection.ask(question, task).catch(async (thrown) => {
      const found = isInDoubt ? await this.getByRunId(body.run_id) : undefined;
      const isOurs = canonicalJson(found?.payload ?? null) === canonicalJson(body.payload);
      if (found === undefined || !isOurs) throw thrown;
      return found;
    });
    return this.toldOne(stored);
  }

  async remove(id: number, options: ChangedBy = {}): Promise<void> {
    const query = queryOf({ by: prepareBy(options, "remove") ?? undefined });
    const path = `queue/tasks/${checkTaskId(id)}${query}`;
    let isInDoubt = false;
    const onDoubt = (): void => void (isInDoubt = true);
    const question = { method: "DELETE", path, resend: true, onDoubt } as const;
    await this.connection.ask(question, json).catch((thrown) => {
      const isGone = thrown instanceof QueueError && thrown.code === "task_not_found";
      if (!isGone || !isInDoubt) throw thrown;
    });
  }

  async bulk(request: BulkRequest): Promise<BulkReport> {
    const { action, isDryRun, budgetMs } = prepareBulk(request);
    const question = {
      method: "POST",
      path: "queue/bulk",
      body: bulkBody(request),
      resend: isDryRun || action !== "retry", // what was retried may have failed again meanwhile
      waitMs: budgetMs,
    } as const;
    return await this.connection.ask(question, bulkReport);
  }

  async #byHand(
    path: string,
    parts: { readonly resend?: boolean; readonly onDoubt?: () => void },
  ): Promise<boolean> {
    const question = { ...parts, method: "POST", path, body: {}, alsoAnswers: [409] } as const;
    const changed = await this.connection.ask(question, (answer) => {
      return errorCodeOf(answer) === undefined ? [task(answer)] : [];
    });
    this.feed.tell(changed);
    return changed.length > 0;
  }

  /** Tells watchers of a task that was changed. */
  protected toldOne(changed: Task): Task {
    this.feed.tell([changed]);
    return changed;
  }
}
