/**
 * Batch files: one task as a JSON object per line (NDJSON), fields in snake_case; blank lines are passed over.
 */
import { z } from "zod";
import {
  checkNewTask,
  messageOf,
  type NewTask,
  PARENT_FAILURE_POLICIES,
  WEBHOOK_EVENTS,
} from "../src/mod.ts";
import { UsageError } from "./exit.ts";
import { instant } from "./options.ts";
import { parseJson } from "./task_options.ts";

const batchLine = z.strictObject({
  type: z.string(),
  payload: z.unknown().optional(),
  priority: z.number().optional(),
  run_after: z.string().optional(),
  idempotency_key: z.string().optional(),
  max_attempts: z.number().optional(),
  compatibility: z.custom<Record<string, unknown>>((value) => typeof value === "object").optional(),
  run_id: z.string().optional(),
  timeout_ms: z.number().optional(),
  depends_on: z.array(z.union([z.number(), z.string()])).optional(),
  on_parent_failure: z.enum(PARENT_FAILURE_POLICIES).optional(),
  retry_policy: z.strictObject({
    initial_delay_ms: z.number().optional(),
    multiplier: z.number().optional(),
    max_delay_ms: z.number().optional(),
  }).optional(),
  webhook: z.strictObject({ url: z.string(), events: z.array(z.enum(WEBHOOK_EVENTS)).optional() })
    .optional(),
});

/** How many wrong lines an error names. */
const LINES_TOLD = 10;

/** The tasks that a batch file asks for. @throws UsageError with every wrong line and its problem. */
export function parseBatch(text: string): NewTask[] {
  const problems: string[] = [];
  const tasks = text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [parseLine(line, `line ${index + 1}`)];
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      problems.push(thrown.message);
      return [];
    }
  });
  if (problems.length === 0) return tasks;
  const rest = problems.length - LINES_TOLD;
  const more = rest > 0 ? [`and ${rest} more lines`] : [];
  throw new UsageError([...problems.slice(0, LINES_TOLD), ...more].join("; "));
}

function parseLine(line: string, where: string): NewTask {
  const parsed = batchLine.safeParse(parseJson(line, where));
  if (parsed.success) return checkedTask(parsed.data, where);
  const problems = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`
  );
  throw new UsageError(`${where}: ${problems.join("; ")}`);
}

function checkedTask(line: z.infer<typeof batchLine>, where: string): NewTask {
  try {
    const task = toNewTask(line);
    checkNewTask(task);
    return task;
  } catch (thrown) {
    throw new UsageError(`${where}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function toNewTask(line: z.infer<typeof batchLine>): NewTask {
  return {
    type: line.type,
    payload: line.payload,
    priority: line.priority,
    runAfter: line.run_after === undefined ? undefined : instant(line.run_after),
    idempotencyKey: line.idempotency_key,
    maxAttempts: line.max_attempts,
    compatibility: line.compatibility,
    runId: line.run_id,
    timeoutMs: line.timeout_ms,
    dependsOn: line.depends_on,
    onParentFailure: line.on_parent_failure,
    retryPolicy: line.retry_policy && {
      initialDelayMs: line.retry_policy.initial_delay_ms,
      multiplier: line.retry_policy.multiplier,
      maxDelayMs: line.retry_policy.max_delay_ms,
    },
    webhook: line.webhook,
  };
}
