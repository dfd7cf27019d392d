/**
 * Claim requests, checked.
 */
import { type Capabilities, capabilitiesOf } from "../domain/capability.ts";
import {
  checkArray,
  checkInteger,
  checkLeaseDuration,
  checkName,
  checkOneOf,
  checkPairs,
  checkTaskId,
} from "../domain/check.ts";
import { CLAIM_ORDERS, type ClaimOrder } from "../domain/claim_order.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { ClaimRequest } from "../queue/task_queue.ts";

/** A checked `ClaimRequest`. */
export interface PreparedClaim {
  readonly workerId: string;
  readonly types: readonly string[];
  readonly limit: number;
  readonly leaseDurationMs: number;
  readonly order: ClaimOrder;
  readonly capabilities: Capabilities;
  readonly taskId: number | null;
}

const CLAIM_OPTIONS = optionNames<ClaimRequest>({
  workerId: true,
  types: true,
  limit: true,
  leaseDurationMs: true,
  strategy: true,
  capabilities: true,
  taskId: true,
});

/** Checks a request, before any effect. @throws TypeError, RangeError */
export function prepareClaim(request: ClaimRequest): PreparedClaim {
  checkOptions(request, CLAIM_OPTIONS, "claim");
  const { typeMaxLength, workerIdMaxLength, claimMax } = TASK_LIMITS;
  const order = checkOneOf(request.strategy ?? "priority", CLAIM_ORDERS, "strategy");
  const types = checkArray(request.types ?? [], "types", "task types");
  if (request.taskId === undefined && types.length === 0) {
    throw new TypeError("Cannot claim without task types: at least one is needed");
  }
  const capabilities = checkPairs(request.capabilities ?? {}, "capabilities");
  return {
    workerId: checkName(request.workerId, "worker id", workerIdMaxLength),
    types: [...new Set(types.map((type) => checkName(type, "task type", typeMaxLength)))],
    limit: checkInteger(request.limit ?? 1, "limit", 1, claimMax),
    leaseDurationMs: checkLeaseDuration(request.leaseDurationMs),
    order,
    capabilities: capabilitiesOf(capabilities),
    taskId: request.taskId === undefined ? null : checkTaskId(request.taskId),
  };
}
