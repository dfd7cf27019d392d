/**
 * Checked handlers: a handler between the schemas of its payload and its result.
 *
 * What a schema refuses is final: trying again would not help.
 */
import { messageOf, PermanentError } from "../domain/errors.ts";
import { accepted } from "../domain/standard_schema.ts";
import { type ParentDefinitions, readParentResults } from "../queue/task_definition.ts";
import type { ParentResult } from "../queue/task_queue.ts";
import { checkPayloadAsync, type Handler, type HandlerEntry } from "./handler_registry.ts";

/**
 * `handler`, given the payload as its schema gives it, and its result refused unless its schema accepts it. Without schemas it is the
 * same function, so that it begins at once.
 */
export function checkedHandler(
  handler: Handler,
  rule: Pick<HandlerEntry, "type" | "payload" | "result">,
): Handler {
  const { type, result: schema } = rule;
  if (rule.payload === null && schema === null) return handler;
  return async (task, context) => {
    const payload = await permanently(() => checkPayloadAsync(rule, task.payload));
    context.signal.throwIfAborted();
    const result = await handler({ ...task, payload }, context);
    if (schema === null) return result;
    await permanently(() => accepted(schema, result ?? null, { part: "result", type }));
    return result;
  };
}

/** The outcomes of parents, as their definitions give them where there are some. */
export async function checkedParents(
  parents: ParentDefinitions | null,
  results: Promise<readonly ParentResult[]>,
): Promise<readonly ParentResult[]> {
  return parents === null ? await results : await readParentResults(parents, await results);
}

async function permanently<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new PermanentError(messageOf(thrown), { cause: thrown });
  }
}
