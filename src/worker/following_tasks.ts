/**
 * What a handler enqueues: kept until its attempt ends, and stored in the commit of its completion, or not at all.
 */
import type { NewTask } from "../domain/task.ts";
import { type FollowingTask, followingTask } from "../queue_policy/attempt_request.ts";
import { checkPayloadAsync, type HandlerRegistry } from "./handler_registry.ts";

/** The tasks that one attempt has enqueued. */
export class FollowingTasks {
  readonly #tasks: FollowingTask[] = [];
  #isOver = false;

  /** In the order in which they were enqueued. */
  get tasks(): readonly NewTask[] {
    return this.#tasks;
  }

  /** Keeps a task; its run id. @throws TypeError, RangeError when it cannot be stored. @throws Error once the attempt has ended. */
  add(task: NewTask): string {
    if (this.#isOver) {
      throw new Error("Cannot enqueue: the attempt has ended, and with it what it could enqueue");
    }
    const following = followingTask(task, this.#tasks.length + 1);
    this.#tasks.push(following);
    return following.runId;
  }

  /** From now on nothing is added. */
  end(): void {
    this.#isOver = true;
  }

  /** Checks their payloads by the handlers that are known here. @throws TypeError with every problem. */
  async check(handlers: HandlerRegistry): Promise<void> {
    for (const { type, payload } of this.#tasks) {
      const entry = handlers.get(type);
      if (entry !== undefined) await checkPayloadAsync(entry, payload);
    }
  }
}
