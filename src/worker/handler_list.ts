/**
 * Handler lists: which function of which module executes which task type, written in a file of settings.
 *
 * A list names code; what a list does not name is never imported, whatever a payload says.
 */
import { z } from "zod";
import { ISOLATIONS, PERMISSION_NAMES } from "./isolated_handler.ts";
import { describeProblems, onlyFields } from "./schema_problems.ts";

const PERMISSION = z.union([z.boolean(), z.literal("inherit"), z.array(z.string())], {
  error: "true, false, inherit or a list of texts is needed",
});

const PERMISSIONS = z.union([
  z.enum(["inherit", "none"]),
  onlyFields(
    Object.fromEntries(PERMISSION_NAMES.map((name) => [name, PERMISSION.optional()])) as Record<
      typeof PERMISSION_NAMES[number],
      z.ZodOptional<typeof PERMISSION>
    >,
  ),
], {
  error: `inherit, none or an object with some of ${PERMISSION_NAMES.join(", ")} is needed, ` +
    "each of them true, false, inherit or a list of texts",
});

const ENTRY = onlyFields({
  task_type: z.string().regex(/\S/, "a string is needed"),
  module: z.string().regex(/\S/, "the path of a module is needed"),
  function: z.string().regex(/\S/, "the name of an export is needed"),
  description: z.string().optional(),
  version: z.string("a string is needed: put it in quotes").optional(),
  retry_policy: onlyFields({
    initial_delay_ms: z.number().optional(),
    multiplier: z.number().optional(),
    max_delay_ms: z.number().optional(),
  }).optional(),
  timeout_ms: z.number().optional(),
  concurrency: z.number().optional(),
  isolation: z.enum(ISOLATIONS).optional(),
  permissions: PERMISSIONS.optional(),
}).refine(({ isolation, permissions }) => isolation === "worker" || permissions === undefined, {
  path: ["permissions"],
  error: 'they need isolation "worker"',
});

/** One entry of a handler list. */
export type HandlerListEntry = z.output<typeof ENTRY>;

/**
 * The entries of a handler list: an array, or an object whose only field `handlers` is one (TOML has no other way).
 *
 * @throws TypeError that names every wrong entry: its index from 0, its type, the wrong value, and what is allowed.
 */
export function parseHandlerList(content: unknown): readonly HandlerListEntry[] {
  const list = listIn(content);
  const refusals: string[] = [];
  const entries: HandlerListEntry[] = [];
  list.forEach((value, index) => {
    const parsed = ENTRY.safeParse(value);
    if (parsed.success) entries.push(parsed.data);
    else refusals.push(`${entryName(index, value)}: ${describeProblems(parsed.error, value)}`);
  });
  if (refusals.length > 0) throw new TypeError(refusals.join("; "));
  return entries;
}

/** How an entry is called in messages. */
export function entryName(index: number, value: unknown): string {
  const type = (value as { task_type?: unknown } | null)?.task_type;
  return typeof type === "string" ? `entry ${index} (${JSON.stringify(type)})` : `entry ${index}`;
}

function listIn(content: unknown): readonly unknown[] {
  const list = typeof content === "object" && content !== null && !Array.isArray(content) &&
      Object.keys(content).join() === "handlers"
    ? (content as { handlers: unknown }).handlers
    : content;
  if (Array.isArray(list) && list.length > 0) return list;
  throw new TypeError(
    'it holds no list of handlers: an array is needed, or an object whose only field "handlers" is one, with at least one entry',
  );
}
