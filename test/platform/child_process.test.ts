/**
 * Children as they are started on Windows; that way works everywhere, so it is tried everywhere.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Child, type ChildOptions, startByNode } from "../../src/platform/child_process.ts";
import { chunksOf } from "../../src/platform/program_output.ts";

const PIPED = { environment: null, stdin: "piped", output: "piped", outlives: false } as const;

function evaluate(code: string, options: Partial<ChildOptions> = {}): Child {
  return startByNode(Deno.execPath(), { ...PIPED, args: ["eval", code], ...options });
}

async function textOf(child: Child, stream: "stdout" | "stderr"): Promise<string> {
  return await new Response(child[stream]).text();
}

async function feed(child: Child, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
}

Deno.test("a child reads all of its input, all of both outputs arrives, and its exit code is its own", async () => {
  const child = evaluate(`
    const text = await new Response(Deno.stdin.readable).text();
    console.log("x".repeat(2_000_000));
    console.error(text.length);
    Deno.exit(7);
  `);
  const outputs = [textOf(child, "stdout"), textOf(child, "stderr")];
  await feed(child, "y".repeat(300_000));
  const [stdout, stderr] = await Promise.all(outputs);
  assertEquals([stdout!.length, stderr!.trim(), await child.exitCode], [2_000_001, "300000", 7]);
});

Deno.test("a child whose output nobody reads waits, and is read no further than a buffer holds", async () => {
  const child = evaluate(
    `
    const part = new Uint8Array(65_536);
    for (let i = 0; i < 160; i++) Deno.stdout.writeSync(part);
  `,
    { stdin: "null" },
  );
  const reader = child.stdout.getReader();
  let size = (await reader.read()).value!.length;
  let hasEnded = false;
  child.exitCode.then(() => hasEnded = true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(hasEnded, false);
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
  }
  await child.stderr.cancel();
  assertEquals([size, await child.exitCode], [160 * 65_536, 0]);
});

Deno.test("a child that is Deno gets its arguments as they are, and no permission that they do not give", async () => {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    await Deno.writeTextFile(
      file,
      'console.log(Deno.permissions.querySync({ name: "run" }).state, ...Deno.args);',
    );
    const child = startByNode(Deno.execPath(), {
      ...PIPED,
      args: ["run", "--no-prompt", "--no-config", file, "-e", "1"],
      stdin: "null",
    });
    const [text] = await Promise.all([textOf(child, "stdout"), child.stderr.cancel()]);
    assert(/^(prompt|denied) -e 1$/.test(text.trim()), text);
    assertEquals(await child.exitCode, 0);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a child's environment is the one that is given, and nothing of this process's", async () => {
  Deno.env.set("HOLDFAST_TEST_SECRET", "secret");
  try {
    const child = evaluate("console.log(Deno.env.get('A'), Deno.env.get('HOLDFAST_TEST_SECRET'))", {
      environment: { A: "1" },
      stdin: "null",
    });
    const [text] = await Promise.all([textOf(child, "stdout"), child.stderr.cancel()]);
    assertEquals(text.trim(), "1 undefined");
    await child.exitCode;
  } finally {
    Deno.env.delete("HOLDFAST_TEST_SECRET");
  }
});

Deno.test("a child that cannot be started says so by its exit code's rejection", async () => {
  const child = startByNode(`${Deno.execPath()}-none`, { ...PIPED, args: [], stdin: "null" });
  assertEquals(child.pid, undefined);
  await assertRejects(() => child.exitCode, Error);
});

Deno.test("✗ never ended: an output that somebody keeps filling is over soon after the program's end", async () => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isCancelled = false;
  const talking = new ReadableStream<Uint8Array>({
    pull: (controller) =>
      new Promise((resolve) => {
        timer = setTimeout(() => {
          controller.enqueue(new Uint8Array(1));
          resolve();
        }, 100);
      }),
    cancel: () => {
      isCancelled = true;
      clearTimeout(timer);
    },
  });
  const flooding = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
  });
  for (const output of [talking, flooding]) {
    for await (const part of chunksOf(output, Promise.resolve(0))) assert(part.length > 0);
  }
  assert(isCancelled);
});

Deno.test("what was written before the program's end is read to its end, however slowly", async () => {
  const output = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let n = 0; n < 16; n++) controller.enqueue(new Uint8Array(4096));
      controller.close();
    },
  });
  let size = 0;
  for await (const part of chunksOf(output, Promise.resolve(0))) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    size += part.length;
  }
  assertEquals(size, 16 * 4096);
});
