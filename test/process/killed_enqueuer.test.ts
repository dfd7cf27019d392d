/**
 * A process that enqueues dies by `kill -9`, again and again: what it was told is stored stays stored.
 */
import { assert, assertEquals } from "@std/assert";
import type { EmbeddedQueue, Task } from "../../src/mod.ts";
import { openQueueHere, pause, Program, QueueFolder, seededRandom } from "./support.ts";
import { effort } from "../support/effort.ts";

const SEED = 20_240_229;
const KILLS = effort("enqueuerKills");
const KILL_WITHIN_MS = 60;
const CHECKPOINT_EVERY_MAX = 4;

Deno.test(`no acknowledged task is lost in ${KILLS} kills of the process that enqueues`, async () => {
  const random = seededRandom(SEED);
  await using folder = new QueueFolder();
  await using bystander = await openQueueHere({ path: folder.path });
  const runIds = new Map<number, string>();
  let acknowledgements = 0;
  let interruptedCheckpoints = 0;
  let checkpoints = 0;
  let tornTails = 0;

  let next = start(0);
  try {
    for (let round = 0; round < KILLS; round++) {
      await using enqueuer = next;
      await enqueuer.say("go");
      await enqueuer.report(round % 3 === 2 ? "checkpoint_done" : "acknowledged");
      await pause(random() * KILL_WITHIN_MS);
      const beside = await enqueueAtDeath(enqueuer, `bystander ${round}`, round % 2 === 0);
      next = start(round + 1);

      const acknowledged = [...enqueuer.reports("acknowledged"), ...beside];
      for (const { id, runId } of acknowledged) claimId(runIds, id, runId);
      acknowledgements += acknowledged.length;
      const done = enqueuer.reports("checkpoint_done").length;
      checkpoints += done;
      interruptedCheckpoints += enqueuer.reports("checkpoint_begun").length > done ? 1 : 0;

      await using reopened = await openQueueHere({ path: folder.path });
      for (const { id, runId } of await everyTask(reopened)) claimId(runIds, id, runId);
      await holdsExactly(reopened, runIds);
      await holdsExactly(bystander, runIds);
      tornTails += reopened.storageStats().tornTails;
    }
  } finally {
    await next[Symbol.asyncDispose]();
  }
  console.log(
    `killed enqueuer: ${acknowledgements} acknowledged in ${KILLS} kills (seed ${SEED}), none lost; ` +
      `${runIds.size - acknowledgements} stored without an acknowledgement; ` +
      `${checkpoints} checkpoints, ${interruptedCheckpoints} interrupted; ${tornTails} torn tails cut`,
  );
  assert(acknowledgements >= KILLS);

  /** The bystander may write at the same moment: it must not wait for the dead one's lock. */
  async function enqueueAtDeath(
    enqueuer: Program,
    runId: string,
    isWanted: boolean,
  ): Promise<{ id: number; runId: string }[]> {
    const enqueueing = isWanted ? bystander.enqueue({ type: "anything", runId }) : undefined;
    const [result] = await Promise.all([enqueueing, enqueuer.kill()]);
    return result === undefined ? [] : [{ id: result.task.id, runId }];
  }

  function start(round: number): Program {
    const checkpointEvery = 1 + Math.floor(random() * CHECKPOINT_EVERY_MAX);
    return new Program("endless_enqueuer", folder.path, String(round), String(checkpointEvery));
  }
});

/** An id means one run for ever. */
function claimId(runIds: Map<number, string>, id: number, runId: string): void {
  const holder = runIds.get(id) ?? runId;
  assertEquals(holder, runId, `id ${id} was given to ${holder} and to ${runId}`);
  runIds.set(id, runId);
}

/** Every run that was ever seen or acknowledged is there by both its names, and nothing else. */
async function holdsExactly(
  queue: EmbeddedQueue,
  runIds: ReadonlyMap<number, string>,
): Promise<void> {
  assertEquals(await queue.count(), runIds.size);
  for (const [id, runId] of runIds) {
    assertEquals((await queue.get(id))?.runId, runId, `task ${id} is lost`);
    assertEquals((await queue.getByRunId(runId))?.id, id, `run ${runId} is lost`);
  }
}

async function everyTask(queue: EmbeddedQueue): Promise<Task[]> {
  const tasks: Task[] = [];
  for (;;) {
    const page = await queue.list({ limit: 1000, beforeId: tasks.at(-1)?.id });
    if (page.length === 0) return tasks;
    tasks.push(...page);
  }
}
