/**
 * Deliberate faults of a queue behind a server, each of which a test must catch.
 */
import type { Mutant } from "./mutant.ts";

const LOST = ["test/remote_queue/lost_answers.test.ts"];
const FEED = ["test/remote_queue/change_feed.test.ts"];
const REFUSALS = ["test/remote_queue/refusals.test.ts"];
const QUEUE = "src/remote_queue/http_queue.ts";

/** Every mutant of `src/remote_queue`, and of the routes that only it asks. */
export const REMOTE_MUTANTS: readonly Mutant[] = [
  {
    name: "remote: an end whose answer was lost counts as a lease lost",
    file: QUEUE,
    find: "        if (!isLost || !this.#leases.isInDoubt(lease)) throw thrown;\n",
    replace: "        if (isLost) throw thrown;\n",
    tests: LOST,
  },
  {
    name: "remote: another worker's end counts as ours",
    file: QUEUE,
    find: "if (now !== undefined && isOurs && await isDone(now)) return now;",
    replace: "if (now !== undefined && await isDone(now)) return now;",
    tests: LOST,
  },
  {
    name: "remote: a task is queued again twice",
    file: "src/remote_queue/remote_changes.ts",
    find: 'return await this.#byHand(byHandPath(checkTaskId(id), "retry", options), {});',
    replace:
      'return await this.#byHand(byHandPath(checkTaskId(id), "retry", options), { resend: true });',
    tests: LOST,
  },
  {
    name: "remote: a task gets its run id from the server, so that a lost answer stores two",
    file: "src/remote_queue/request.ts",
    find: "    run_id: runId ?? crypto.randomUUID(),\n",
    replace: "    run_id: runId as string,\n",
    tests: LOST,
  },
  {
    name: "remote: what a handler said comes after its end",
    file: QUEUE,
    find: "    await this.#logs.flush(lease.taskId);\n",
    replace: "",
    tests: LOST,
  },
  {
    name: "remote: an own change is told by the stream again",
    file: "src/remote_queue/echoes.ts",
    find: "      answered!.splice(0, place + 1);\n      return false;\n",
    replace: "      return true;\n",
    tests: ["test/remote_queue/echoes.test.ts"],
  },
  {
    name: "remote: watchers are not told to look while there is no stream",
    file: "src/remote_queue/change_feed.ts",
    find: '      if (begun === "refused") this.#emit("reset");\n',
    replace: "",
    tests: FEED,
  },
  {
    name: "http: a stream of changes does not say that it begins",
    file: "server/events/task_changes.ts",
    find: "    yield RESET;\n    while",
    replace: "    while",
    tests: FEED,
  },
  {
    name: "remote: an export that is cut off is taken for whole",
    file: "src/remote_queue/records.ts",
    find: "  let isWhole = false;\n",
    replace: "  let isWhole = true;\n",
    tests: ["test/remote_queue/records.test.ts"],
  },
  {
    name: "remote: the clock of the worker's machine counts",
    file: "src/remote_queue/server_time.ts",
    find: "    return this.#clock.nowMs() + this.#aheadMs;\n",
    replace: "    return this.#clock.nowMs();\n",
    tests: REFUSALS,
  },
];
