/**
 * Batch files: one task as a JSON object per line (NDJSON), fields in snake_case; blank lines are passed over.
 */
import { z } from "zod";
import {
  checkNewTask,
  type FieldTable,
  messageOf,
  type NewTask,
  snakeName,
  TASK_FIELDS,
  type TaskBody,
  type TaskField,
  toNewTask,
} from "../src/mod.ts";
import { UsageError } from "./exit.ts";
import { instant } from "./options.ts";
import { parseJson } from "./task_options.ts";

/** The kinds of values; the queue's own check says what is wrong with a value of the right kind. */
const batchLine = looseObject(TASK_FIELDS);

function looseObject(fields: FieldTable): z.ZodType<Record<string, unknown>> {
  return z.strictObject(
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => {
        return [
          snakeName(name),
          field.isRequired ? looseValue(field) : looseValue(field).optional(),
        ];
      }),
    ),
  );
}

function looseValue(field: TaskField): z.ZodType {
  switch (field.kind) {
    case "json":
      return z.unknown();
    case "pairs":
      return z.custom((value) => typeof value === "object");
    case "integer":
    case "number":
      return z.number();
    case "choice":
      return z.enum(field.choices);
    case "choices":
      return z.array(z.enum(field.choices));
    case "names":
      return z.array(z.string());
    case "references":
      return z.array(z.union([z.number(), z.string()]));
    case "object":
      return looseObject(field.fields);
    default:
      return z.string();
  }
}

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
  if (parsed.success) return checkedTask(parsed.data as TaskBody, where);
  const problems = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`
  );
  throw new UsageError(`${where}: ${problems.join("; ")}`);
}

function checkedTask(line: TaskBody, where: string): NewTask {
  try {
    const given = toNewTask(line);
    const { runAfter, expiresAt } = given;
    const task = {
      ...given,
      ...(typeof runAfter === "string" ? { runAfter: instant(runAfter) } : {}),
      ...(typeof expiresAt === "string" ? { expiresAt: instant(expiresAt) } : {}),
    };
    checkNewTask(task);
    return task;
  } catch (thrown) {
    throw new UsageError(`${where}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
