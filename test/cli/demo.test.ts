/**
 * The demo: that it holds, and that its verification notices what does not.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collectFiles, type DemoFile } from "../../examples/demo/files.ts";
import { type Evidence, verify } from "../../examples/demo/verify.ts";
import { openQueue, type Task, type TaskQueue } from "../../src/mod.ts";
import { Scratch } from "./cli_harness.ts";

/**
 * Half of the tasks take the workers so much longer than it takes the demo to notice that the other half is done, that a busy
 * machine, which slows both, leaves somebody to kill.
 */
const FILE_BYTES = 4 * 1024 * 1024;

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("the demo kills a worker half-way, and nothing is lost or finished twice", async () => {
  await using scratch = new Scratch();
  Deno.mkdirSync(scratch.path("files"));
  for (const [i, name] of ["zeros", "ü.bin", "a b.txt"].entries()) {
    Deno.writeFileSync(scratch.path(join("files", name)), new Uint8Array(FILE_BYTES).fill(i));
  }
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", `--config=${join(CHECKOUT, "deno.json")}`],
      ...["--allow-read", "--allow-write", "--allow-env", "--allow-run"],
      join(CHECKOUT, "examples", "demo.ts"),
      ...["--dir", scratch.path("files"), "--db", scratch.db, "--rounds", "60"],
      ...["--lease-ms", "3000"],
    ],
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, `${out}\n${err}`);
  assertMatch(out ?? "", /^completed +180$/m);
  // Where a machine is so busy that a living worker's lease ends too, there are more attempts than the killed one's.
  const [, attempts, held] =
    /^attempts above one +(\d+) \(the killed worker held ([1-9]\d*)\)$/m.exec(out ?? "") ?? [];
  assert(Number(attempts) >= Number(held), out);
  assertMatch(out ?? "", /^finished twice +0$/m);
  assertMatch(out ?? "", /^lost +0$/m);
  assertMatch(out ?? "", /^results checked +180 equal/m);
  assertMatch(err ?? "", /^killed +worker-\d \(pid \d+\) with SIGKILL at \d+ of 180 tasks/m);
});

/** A completed task for a file, as a demo leaves it. */
interface Finished {
  readonly queue: TaskQueue;
  readonly file: DemoFile;
  readonly task: Task;
}

/** Completes the checksum task of a file with this result, and verifies what `change` makes of the evidence. */
async function problemsOf(
  result: unknown,
  change: (finished: Finished) => Partial<Evidence> = () => ({}),
): Promise<readonly string[]> {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("file"), "abc");
  const { files: [file] } = await collectFiles(scratch.folder);
  const queue = await openQueue({ memory: true });
  try {
    await queue.enqueue({ type: "checksum" });
    const [claimed] = await queue.claim({ workerId: "w", types: ["checksum"] });
    const task = await queue.complete(claimed!, result);
    const evidence: Evidence = {
      queue,
      fileOf: new Map([[task.id, file!]]),
      completions: [{ taskId: task.id, attempt: 1, workerId: "w" }],
      kills: [],
    };
    return (await verify({ ...evidence, ...change({ queue, file: file!, task }) })).problems;
  } finally {
    await queue.close();
  }
}

const RIGHT = { sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };

Deno.test("verify() finds nothing off in a demo that went well", async () => {
  assertEquals(await problemsOf(RIGHT), []);
});

Deno.test("verify() notices a wrong result", async () => {
  assertMatch((await problemsOf({ sha256: "0" })).join(), /has another checksum/);
});

Deno.test("verify() notices a completion reported twice", async () => {
  const report = { taskId: 1, attempt: 1, workerId: "w" };
  const problems = await problemsOf(RIGHT, () => ({ completions: [report, report] }));
  assertMatch(problems.join(), /reported as completed 2 times/);
});

Deno.test("verify() notices a completion by a worker that the queue does not name", async () => {
  const problems = await problemsOf(RIGHT, () => ({
    completions: [{ taskId: 1, attempt: 1, workerId: "other" }],
  }));
  assertMatch(problems.join(), /completed by somebody else/);
});

Deno.test("verify() notices a completion that nobody reported", async () => {
  const problems = await problemsOf(RIGHT, () => ({ completions: [] }));
  assertMatch(problems.join(), /w did not report it/);
});

Deno.test("verify() notices a killed worker's task that was not executed again", async () => {
  const kills = [{ workerId: "dead", held: [1] }];
  const problems = await problemsOf(RIGHT, () => ({ kills }));
  assertMatch(problems.join(), /not executed again/);
});

Deno.test("verify() notices a task that is missing", async () => {
  const problems = await problemsOf(RIGHT, ({ file }) => ({ fileOf: new Map([[2, file]]) }));
  assertEquals(problems, ["task 2 is missing"]);
});

Deno.test("collectFiles() passes over .git, node_modules and data", async () => {
  await using scratch = new Scratch();
  for (const folder of [".git", "node_modules", "data", "src"]) {
    Deno.mkdirSync(scratch.path(folder));
    Deno.writeTextFileSync(scratch.path(join(folder, "file")), "");
  }
  const { files } = await collectFiles(scratch.folder);
  assertEquals(files.map(({ path }) => path), [scratch.path(join("src", "file"))]);
});
