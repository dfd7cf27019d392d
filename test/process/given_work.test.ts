/**
 * Work that a process was given is done by this process alone while it lives, also when others have a handler for it, and by
 * one of them once it is dead.
 */
import { assertEquals } from "@std/assert";
import type { Task } from "../../src/mod.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

/** How many runs are started with each kind of work. */
const COUNTS = { function: 1000, promise: 300, endless: 300 };
/** Longer than a busy machine keeps a process waiting; one that is to be killed must not be waited for as long. */
const LEASE_MS = { function: 30_000, promise: 30_000, endless: 5000 };

Deno.test("1,000 functions given to one process are done by it alone, also those begun by close()", () =>
  withPrograms("function", async (starter, others, tasks) => {
    await starter.stop();
    assertEquals(runsOf(starter), runIds("function"));
    assertEquals(others.flatMap(runsOf), []);
    const outcomes = (await tasks()).map(({ runId, status, attempts, result }) =>
      `${runId} ${status} ${attempts} ${result}`
    );
    const expected = runIds("function").map((runId) => `${runId} completed 1 done for ${runId}`);
    assertEquals(outcomes.sort(), expected.sort());
  }));

Deno.test("promises under way in one process keep their values, and nobody does them again", () =>
  withPrograms("promise", async (starter, others, tasks) => {
    await starter.stop();
    assertEquals(others.flatMap(runsOf), []);
    const results = (await tasks()).map(({ result }) => String(result));
    assertEquals(results.sort(), runIds("promise").map((runId) => `promised for ${runId}`).sort());
  }));

Deno.test("functions whose process is killed are each done once by those that have a handler", () =>
  withPrograms("endless", async (starter, others, tasks) => {
    await starter.until(
      () => starter.reports("did").length === COUNTS.endless || undefined,
      "every function begun",
    );
    assertEquals(others.flatMap(runsOf), []);
    await starter.kill();
    const isOver = async () => (await tasks()).every(({ status }) => status === "completed");
    await waitFor(async () => await isOver() || undefined, "the rest done by others");
    assertEquals(others.flatMap(runsOf).sort(), runIds("endless"));
    assertEquals(new Set((await tasks()).map(({ attempts }) => attempts)), new Set([2]));
  }));

/** One process starts runs with work of this kind, while two others have a handler for them. */
async function withPrograms(
  kind: keyof typeof COUNTS,
  test: (starter: Program, others: Program[], tasks: () => Promise<Task[]>) => Promise<void>,
): Promise<void> {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using one = new Program("takeover", folder.path);
  await using two = new Program("takeover", folder.path);
  const lease = String(LEASE_MS[kind]);
  await using starter = new Program("starter", folder.path, String(COUNTS[kind]), kind, lease);
  for (const program of [one, two, starter]) await program.report("ready");
  await starter.say("go");
  await test(starter, [one, two], async () => {
    const tasks = await queue.list({ limit: 1000 });
    assertEquals(tasks.length, COUNTS[kind]);
    return tasks;
  });
  for (const program of [one, two]) await program.stop();
}

function runIds(kind: keyof typeof COUNTS): string[] {
  return Array.from({ length: COUNTS[kind] }, (_, i) => `run ${i + 1}`).sort();
}

function runsOf(program: Program): string[] {
  return program.reports("did").map(({ runId }) => runId).sort();
}
