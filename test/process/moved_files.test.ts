/**
 * Three processes that write without a pause while somebody moves, deletes, copies back, restores or replaces the files of
 * their queue: what one of them began afterwards and was acknowledged stands in the queue at the path.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { type Before, copyFolder, type Misdeed, MISDEEDS } from "../faults/misdeeds.ts";
import { openQueueHere, pause, Program, QueueFolder } from "./support.ts";
import { effort } from "../support/effort.ts";

const ROUNDS = effort("moveRounds");
const WRITERS = ["one", "two", "three"];
const WRITES_AFTERWARDS = 5;

for (const misdeed of MISDEEDS) {
  Deno.test({
    name: `under three writers ${misdeed.name}: what they are told afterwards is kept`,
    // There a folder in which a file is open cannot be moved.
    ignore: Deno.build.os === "windows" && misdeed.movesFolder === true,
    fn: async () => {
      for (let round = 0; round < ROUNDS; round++) await loseNothing(misdeed, round);
    },
  });
}

async function loseNothing(misdeed: Misdeed, round: number): Promise<void> {
  await using folder = new QueueFolder();
  const before = await prepare(dirname(folder.path));
  await using writers = new Writers(before.path);
  await writers.haveWrittenSince(0, 1 + round % 7);
  await pause(round * 3 % 20);
  await misdeed.commit(before);
  const sinceMs = Date.now();
  await writers.haveWrittenSince(sinceMs, WRITES_AFTERWARDS);
  await writers.stop();
  await using queue = await openQueueHere({ path: before.path });
  const tasks = await Array.fromAsync(writers.writtenSince(sinceMs), async (runId) => {
    return await queue.getByRunId(runId) === undefined ? runId : undefined;
  });
  assert(tasks.length >= WRITERS.length * WRITES_AFTERWARDS);
  assertEquals(tasks.filter((runId) => runId !== undefined), [], "lost");
  assertEquals((await queue.integrityCheck()).problems, []);
}

/** A queue with snapshot and journal, a backup and a copy of what it was before. */
async function prepare(folder: string): Promise<Before> {
  const [path, backup, copy, aside] = ["data/queue.db", "backup.db", "copy", "aside"].map((name) =>
    join(folder, name)
  ) as [string, string, string, string];
  await using queue = await openQueueHere({ path });
  await queue.enqueue({ type: "anything" });
  await queue.checkpoint();
  await queue.enqueue({ type: "anything" });
  await queue.backup(backup);
  await copyFolder(dirname(path), copy);
  return { path, backup, copy, aside };
}

class Writers implements AsyncDisposable {
  readonly #programs: readonly Program[];

  constructor(path: string) {
    this.#programs = WRITERS.map((name) => new Program("stubborn_writer", path, name));
  }

  async haveWrittenSince(sinceMs: number, count: number): Promise<void> {
    for (const program of this.#programs) {
      const isDone = (): true | undefined =>
        writtenBy(program, sinceMs).length >= count || undefined;
      await program.until(isDone, `${count} tasks written`);
    }
  }

  writtenSince(sinceMs: number): string[] {
    return this.#programs.flatMap((program) => writtenBy(program, sinceMs));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program[Symbol.asyncDispose]()));
  }
}

function writtenBy(program: Program, sinceMs: number): string[] {
  return program.reports("wrote").filter(({ begunAtMs }) => begunAtMs > sinceMs)
    .map(({ runId }) => runId);
}
