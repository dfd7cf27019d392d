/**
 * Requests for the children of a task, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import type { ChildrenRequest } from "../queue/children.ts";
import { checkLimit } from "./page_request.ts";

/** A checked `ChildrenRequest`. */
export type PreparedChildren = Required<ChildrenRequest>;

const CHILDREN_OPTIONS = optionNames<ChildrenRequest>({ afterId: true, limit: true });

/** Checks a request. @throws TypeError, RangeError */
export function prepareChildren(request: ChildrenRequest): PreparedChildren {
  checkOptions(request, CHILDREN_OPTIONS, "children");
  const { afterId = 0, limit } = request;
  return {
    afterId: checkInteger(afterId, "afterId", 0, Number.MAX_SAFE_INTEGER),
    limit: checkLimit(limit),
  };
}
