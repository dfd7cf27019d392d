/**
 * `holdfast stats --watch`: a live screen, plain blocks in a pipe, one document a line with `--json`.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DOCUMENTS } from "../../cli/documents.ts";
import { HANDLERS, type Outcome, Scratch, type Surroundings } from "./cli_harness.ts";

/** Watches until `isEnough` says so of what was written. */
async function watch(
  scratch: Scratch,
  args: readonly string[],
  { isEnough, ...surroundings }: Surroundings & { readonly isEnough: (out: string) => boolean },
): Promise<Outcome> {
  const interrupt = new AbortController();
  let out = "";
  return await scratch.run(["stats", "--watch", "--interval", "200ms", ...args], {
    ...surroundings,
    interrupt: interrupt.signal,
    onOut: (text) => {
      out += text;
      if (isEnough(out)) interrupt.abort();
    },
  });
}

/** A queue with one completed task, one failed and one queued. */
async function busy(scratch: Scratch): Promise<void> {
  for (const type of ["echo", "broken"]) await scratch.run(["enqueue", type]);
  await scratch.run(["worker", "--handlers", HANDLERS, "--until-empty", "--worker-id", "w-1"]);
  await scratch.run(["enqueue", "later", "--run-after", "+1h"]);
}

Deno.test("stats --watch writes a plain block per interval into a pipe, and ends with 130", async () => {
  await using scratch = new Scratch();
  await busy(scratch);
  const { code, out, err } = await watch(scratch, [], {
    isEnough: (text) => text.split("depth").length > 3,
  });
  assertEquals([code, err], [130, ""]);
  assertEquals(out.split("\n\n\n").length, 1, "blocks are one empty line apart");
  assertMatch(out, /^depth {5}1 queued, 0 leased, 1 completed, 1 failed, 0 cancelled$/m);
  assertMatch(out, /^minute {4}3 enqueued, 1 completed, 1 failed, 0 retried$/m);
  assertMatch(out, /^2 +\S+Z +broken +1\/5 +it is\\x0abroken$/m);
  // deno-lint-ignore no-control-regex
  assertEquals(/\u001b/.test(out), false);
});

Deno.test("stats --watch --json writes one document per line", async () => {
  await using scratch = new Scratch();
  await busy(scratch);
  const { code, out } = await watch(scratch, ["--json"], {
    isEnough: (text) => text.split("\n").length > 2,
  });
  assertEquals(code, 130);
  const lines = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert(lines.length >= 2);
  for (const line of lines) assertEquals(DOCUMENTS.StatsBlock.parse(line), line);
  const [{ by_status, latest_failures: [failure] }] = lines;
  assertEquals([by_status.queued, by_status.completed], [1, 1]);
  assertEquals([failure.task_id, failure.error_message], [2, "it is\nbroken"]);
});

Deno.test("stats --watch on a terminal draws a screen that fits, and gives the terminal back", async () => {
  await using scratch = new Scratch();
  await busy(scratch);
  const { code, out } = await watch(scratch, [], {
    terminal: true,
    columns: 50,
    environment: { NO_COLOR: "1" },
    isEnough: (text) => text.split("depth").length > 2,
  });
  assertEquals(code, 130);
  assert(out.startsWith("\u001b[?1049h\u001b[?25l"));
  assert(out.endsWith("\u001b[?25h\u001b[?1049l"), "the last thing written gives it back");
  assertEquals(out.split("\u001b[?1049l").length, 2);
  // deno-lint-ignore no-control-regex
  const lines = out.replaceAll(/\u001b\[\??\d*[A-Za-z]/g, "").split(/\r\n/);
  for (const line of lines) assert(line.length <= 50, line);
  assertEquals(/(?<!\r)\n/.test(out), false, "every line begins at the left");
});

Deno.test("stats --watch shows a worker as soon as it is there", async () => {
  await using scratch = new Scratch();
  await scratch.makeQueue();
  const stop = new AbortController();
  let work: Promise<unknown> | undefined;
  const { code } = await watch(scratch, [], {
    isEnough: (text) => {
      work ??= scratch.run(["worker", "--handlers", HANDLERS, "--worker-id", "w-live"], {
        interrupt: stop.signal,
      });
      return /^w-live +active/m.test(text);
    },
  });
  stop.abort();
  await work;
  assertEquals(code, 130);
});

Deno.test("stats --watch ends with 0 when nobody reads any more", async () => {
  await using scratch = new Scratch();
  await scratch.makeQueue();
  const outClosed = new AbortController();
  const { code } = await scratch.run(["stats", "--watch"], {
    outClosed: outClosed.signal,
    onOut: () => outClosed.abort(),
  });
  assertEquals(code, 0);
});

for (const interval of ["100ms", "2h", "soon", "-1s"]) {
  Deno.test(`stats --watch refuses the interval ${interval} with 2`, async () => {
    await using scratch = new Scratch();
    await scratch.makeQueue();
    const { code, out, err } = await scratch.run(["stats", "--watch", `--interval=${interval}`]);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, "A duration");
  });
}
