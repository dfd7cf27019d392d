/**
 * A queue with hostile content in every field that somebody gives: markup, addresses that are scripts, characters that turn or hide text,
 * ANSI escapes, quotes.
 */
import { z } from "zod";
import { HandlerRegistry, type MemoryLogStore, type TaskQueue } from "../../src/mod.ts";

/** What names may be: `hit` is set where a browser takes it for more than text. */
export const HOSTILE = `<script>hit=1</script>"'><img src=x onerror=hit=1>\u202egnp\u200b`;

/** Where control characters are allowed, too. */
export const ESCAPED = `${HOSTILE}\u001b[31mred\u0007`;

/** An address that is a script. */
const SCRIPT_URL = "javascript:hit=1";

/** The pages that show it: tasks 1 and 2 are a failed parent and its child, 3 runs, 4 has completed. */
export const HOSTILE_PAGES: readonly string[] = [
  ...["/", "/tasks", "/tasks?status=leased", "/tasks?q=script", "/failures", "/workers"],
  ...["/tasks/1", "/tasks/2", "/tasks/3", "/tasks/4", "/tasks/1/again", "/tasks/1/replace"],
  ...["/tasks/2/edit", "/tasks/1/remove", "/tasks/chosen?action=remove&id=1&id=2"],
  ...["/schedules", `/schedules/remove?${new URLSearchParams({ id: HOSTILE })}`],
  ...["/run", `/run?${new URLSearchParams({ module: HOSTILE })}`, "/storage"],
  `/tasks?${new URLSearchParams({ type: HOSTILE, group: HOSTILE, q: HOSTILE.slice(1) })}`,
  `/tasks?${new URLSearchParams({ tag: `${HOSTILE}0` })}`,
  `/tasks/all?${new URLSearchParams({ action: "cancel", type: HOSTILE })}`,
];

/** A module whose every text is hostile. */
export const HOSTILE_HANDLERS: HandlerRegistry = new HandlerRegistry().register(
  HOSTILE,
  () => null,
  {
    name: HOSTILE,
    description: ESCAPED,
    payload: z.object({
      [HOSTILE]: z.string().meta({ title: HOSTILE, description: ESCAPED }).default(HOSTILE),
      choice: z.enum([HOSTILE, SCRIPT_URL]).meta({ title: HOSTILE, description: ESCAPED }),
    }),
  },
);

/** Fills a queue with it. */
export async function fillHostile(queue: TaskQueue, logs: MemoryLogStore): Promise<void> {
  const task = {
    type: HOSTILE,
    group: HOSTILE,
    tags: [`${HOSTILE}0`, SCRIPT_URL],
    compatibility: { [HOSTILE]: HOSTILE },
    payload: { [ESCAPED]: ESCAPED, link: SCRIPT_URL, deep: [[ESCAPED]] },
    maxAttempts: 1,
  };
  await queue.enqueueBatch([
    { ...task, runId: HOSTILE, idempotencyKey: HOSTILE },
    { ...task, runId: `${HOSTILE}2`, dependsOn: [HOSTILE], onParentFailure: "run" },
    { ...task, runId: `${HOSTILE}3`, orderingKey: HOSTILE },
    { ...task, runId: `${HOSTILE}4`, unique: { key: HOSTILE, mode: "throttle", windowMs: 60_000 } },
  ]);
  const capabilities = { [HOSTILE]: HOSTILE };
  const worker = { workerId: HOSTILE, types: [HOSTILE], capabilities };
  await queue.heartbeat({ ...worker, concurrency: 4 });
  const claimed = await queue.claim({ ...worker, limit: 3, leaseDurationMs: 3_600_000 });
  const [failing, running, completing] = claimed.toSorted((a, b) => a.id - b.id);
  for (const { id } of claimed) {
    logs.append(id, {
      at: new Date().toISOString(),
      level: "error",
      message: ESCAPED,
      attempt: 1,
      details: { [ESCAPED]: ESCAPED },
    });
  }
  await queue.fail(failing!, new Error(ESCAPED));
  await queue.reportProgress(running!, 50, ESCAPED);
  await queue.complete(completing!, { [ESCAPED]: SCRIPT_URL });
  await queue.cancel(2, { by: HOSTILE });
  await queue.retry(2, { by: HOSTILE });
  await queue.addSchedule({ id: HOSTILE, type: HOSTILE, cron: "30 6 * * *", payload: ESCAPED });
  await queue.setLimit({ type: HOSTILE, group: HOSTILE }, { concurrency: 1 }, { by: HOSTILE });
  await queue.pause({ type: HOSTILE }, { by: HOSTILE, reason: HOSTILE });
}
