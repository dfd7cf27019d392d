/**
 * The lease that a caller names: every operation that needs one looks at it here first.
 */
import { checkInteger, checkTaskId } from "./check.ts";
import { shownValue } from "./shown_value.ts";
import type { Lease, LeaseLike } from "./task.ts";

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
  if (typeof named.workerId === "string") return named;
  throw new TypeError(
    `Cannot use ${shownValue(named.workerId)} as workerId of a lease: a string is needed`,
  );
}
