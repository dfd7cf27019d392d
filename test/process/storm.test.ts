/**
 * A storm: processes that enqueue, work, cancel and make checkpoints on one queue die by `kill -9`, one after the other,
 * and others take their places. Nothing acknowledged is lost, changed or done twice, and in the end every task ends.
 *
 * `deno task storm` runs a long one; `HOLDFAST_STORM_SEED` changes whom it kills and when.
 */
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import type { EmbeddedQueue } from "../../src/mod.ts";
import type { Report } from "./programs/program.ts";
import { StormChecker } from "./storm_checker.ts";
import { openQueueHere, pause, Program, QueueFolder, seededRandom, waitFor } from "./support.ts";
import { effort } from "../support/effort.ts";

const KILLS = effort("stormKills");
const SEED = Number(Deno.env.get("HOLDFAST_STORM_SEED") ?? 42);
const ROLES = ["enqueuer", "worker", "enqueuer", "worker", "checkpointer", "canceller"];
const KILL_WITHIN_MS = 60;
const CHECK_EVERY = 10;
/** What must have happened, and how often, before a storm proves anything. */
const KINDS = ["acknowledged", "claimed", "completed", "cancelled", "checkpoint_done"] as const;
const HAPPENED_MIN = 3;

Deno.test(`nothing acknowledged is lost or done twice in a storm of ${KILLS} kills`, async () => {
  const startedAtMs = performance.now();
  await using folder = new QueueFolder();
  await using bystander = await openQueueHere({ path: folder.path });
  await using storm = new Storm(folder.path);
  let tornTails = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    await storm.killOne();
    if (kill % CHECK_EVERY !== 0 && kill !== KILLS) continue;
    await using reopened = await openQueueHere({ path: folder.path });
    await storm.checker.check(reopened);
    await storm.checker.check(bystander);
    tornTails += reopened.storageStats().tornTails;
  }
  await storm.untilAllHappened();
  await storm.end();
  await finishEverything(bystander);
  await storm.checker.check(bystander);
  await using reopened = await openQueueHere({ path: folder.path });
  await storm.checker.check(reopened);

  const { checker } = storm;
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  console.log(
    `storm: ${KILLS} kills in ${seconds} s (seed ${SEED}): ${checker.tasks} tasks, nothing lost; ` +
      `${tornTails} torn tails cut; ${JSON.stringify(checker.counts)}`,
  );
  for (const kind of KINDS) assertGreaterOrEqual(checker.counts[kind] ?? 0, HAPPENED_MIN, kind);
});

/** Processes of every role, and all that they have reported. */
class Storm implements AsyncDisposable {
  readonly checker = new StormChecker();
  readonly #path: string;
  readonly #random = seededRandom(SEED);
  /** The longest running first. */
  readonly #children: { readonly role: string; readonly program: Program }[];
  #started = 0;

  constructor(path: string) {
    this.#path = path;
    this.#children = ROLES.map((role) => this.#start(role));
  }

  /** Kills one process at a moment of its work, of those that have run for long, and starts another in its place. */
  async killOne(): Promise<void> {
    const place = Math.floor(this.#random() * this.#children.length / 2);
    const [victim] = this.#children.splice(place, 1);
    this.#children.push(this.#start(victim!.role));
    await this.#kill(victim!.program);
  }

  /** Waits until the processes that are left have made up for what a busy machine kept the killed ones from doing. */
  async untilAllHappened(): Promise<void> {
    for (const kind of KINDS) {
      await waitFor(() => Promise.resolve(this.#happened(kind) >= HAPPENED_MIN || undefined), kind);
    }
  }

  #happened(kind: Report["kind"]): number {
    const left = this.#children.map(({ program }) => program.reports(kind).length);
    return left.reduce((sum, count) => sum + count, this.checker.counts[kind] ?? 0);
  }

  /** Kills all that are left. */
  async end(): Promise<void> {
    for (const { program } of this.#children.splice(0)) await this.#kill(program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(({ program }) => program[Symbol.asyncDispose]()));
  }

  async #kill(child: Program): Promise<void> {
    await using victim = child;
    await victim.report("ready");
    await pause(this.#random() * KILL_WITHIN_MS);
    await victim.kill();
    for (const report of child.everyReport) this.checker.note(report);
  }

  #start(role: string): { readonly role: string; readonly program: Program } {
    const name = `${role} ${++this.#started}`;
    this.checker.expect(name);
    const seed = String(SEED + this.#started);
    return { role, program: new Program("storm_child", this.#path, role, name, seed) };
  }
}

/** Now that nobody dies any more, every task can be ended; those of dead workers when their leases have run out. */
async function finishEverything(queue: EmbeddedQueue): Promise<void> {
  await waitFor(async () => {
    const claimed = await queue.claim({ workerId: "heir", types: ["t"], limit: 1000 });
    await Promise.all(
      claimed.map((task) =>
        queue.complete(task, { workerId: "heir", leaseToken: task.leaseToken })
      ),
    );
    const { queued, leased } = (await queue.stats()).byStatus;
    return queued + leased === 0 || undefined;
  }, "every task ended");
  assertEquals(await queue.claim({ workerId: "heir", types: ["t"] }), []);
}
