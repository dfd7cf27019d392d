/**
 * The lease that a caller names: every operation that needs one looks at it here first.
 */
import { checkInteger, checkName, checkTaskId, checkText } from "./check.ts";
import { shownValue } from "./shown_value.ts";
import { type Lease, type LeaseLike, TASK_LIMITS } from "./task.ts";

const WORKER_ID = "workerId of a lease";

/** The lease that `lease` stands for. @throws TypeError, RangeError when it is neither a lease nor a claimed task */
export function toLease(lease: LeaseLike): Lease {
  if (typeof lease !== "object" || lease === null || !("taskId" in lease || "id" in lease)) {
    throw new TypeError(
      `Cannot use ${
        shownValue(lease)
      } as lease: a claimed task, or its { taskId, workerId, leaseToken }, is needed`,
    );
  }
  const named = "taskId" in lease
    ? lease
    : { taskId: lease.id, workerId: lease.lockedBy ?? "", leaseToken: lease.leaseToken };
  checkTaskId(named.taskId);
  checkInteger(named.leaseToken, "leaseToken", 0, Number.MAX_SAFE_INTEGER);
  const workerId = checkText(named.workerId, WORKER_ID);
  if (workerId.trim() === "") return named; // a task that is not leased has none
  const name = checkName(workerId, WORKER_ID, TASK_LIMITS.workerIdMaxLength);
  return name === workerId ? named : { ...named, workerId: name };
}
