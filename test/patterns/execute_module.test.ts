/**
 * Scripts as child processes: everything they write arrives, nothing passes through a shell, and none outlives what
 * started it.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  executeLongRunning,
  executeModule,
  type OutputLine,
  type ScriptOptions,
} from "../../src/mod.ts";
import { executeModule as executeOn } from "../../src/patterns/execute_module.ts";
import type { Processes } from "../../src/patterns/processes.ts";
import { until } from "../support/until.ts";
import { FAMILY, FAMILY_SIZE, familyPids, isAnyAlive, withScripts } from "./scripts.ts";

const isWindows = Deno.build.os === "windows";

Deno.test("✗ hung: ten megabytes on both outputs at once arrive whole", async () => {
  const script = `
    const part = new TextEncoder().encode("0123456789abcde\\n".repeat(4096));
    const write = async (output) => {
      const writer = output.writable.getWriter();
      for (let i = 0; i < 160; i++) await writer.write(part);
      await writer.close();
    };
    await Promise.all([write(Deno.stdout), write(Deno.stderr)]);
  `;
  await withScripts({ "loud.mjs": script }, async (folder) => {
    const { exitCode, stdout, stderr } = await executeModule(join(folder, "loud.mjs"));
    assertEquals(exitCode, 0);
    for (const output of [stdout, stderr]) {
      assertEquals(output.length, 10_485_760);
      assert(output.split("\n").slice(0, -1).every((line) => line === "0123456789abcde"));
    }
  });
});

Deno.test("✗ lines were lost: the same ten megabytes come line by line, none lost", async () => {
  const script = `
    const text = (name) =>
      Array.from({ length: 100_000 }, (_, i) => name + " " + i + " " + "x".repeat(90) + "\\r\\n").join("");
    const write = async (output, name) => {
      const writer = output.writable.getWriter();
      await writer.write(new TextEncoder().encode(text(name)));
      await writer.close();
    };
    await Promise.all([write(Deno.stdout, "out"), write(Deno.stderr, "err")]);
  `;
  await withScripts({ "lines.mjs": script }, async (folder) => {
    const seen = { stdout: 0, stderr: 0 };
    const names = { stdout: "out", stderr: "err" };
    const result = await executeLongRunning("r1", join(folder, "lines.mjs"), {
      onLine: ({ runId, stream, text }) => {
        assertEquals(runId, "r1");
        assertEquals(text, `${names[stream]} ${seen[stream]++} ${"x".repeat(90)}`);
      },
    });
    assertEquals(result, { runId: "r1", exitCode: 0, lines: { stdout: 100_000, stderr: 100_000 } });
    assertEquals(seen, { stdout: 100_000, stderr: 100_000 });
  });
});

Deno.test("a line arrives while the script still runs, from either output", async () => {
  // Each line is answered through a file, so the script ends only if its lines arrive before it has ended.
  const script = `
    const wait = async (name) => {
      while (!await Deno.stat(name).then(() => true, () => false)) await new Promise((r) => setTimeout(r, 5));
    };
    console.log("a");
    await wait("a");
    console.error("b");
    await wait("b");
  `;
  await withScripts({ "talk.mjs": script }, async (folder) => {
    const lines: string[] = [];
    const { exitCode } = await executeLongRunning("r1", join(folder, "talk.mjs"), {
      cwd: folder,
      onLine: async ({ stream, text }) => {
        lines.push(`${stream} ${text}`);
        await Deno.writeTextFile(join(folder, text), "");
      },
    });
    assertEquals([exitCode, lines], [0, ["stdout a", "stderr b"]]);
  });
});

Deno.test("an exit code is a result, whatever it is", async () => {
  await withScripts({ "exit.mjs": "Deno.exit(Number(Deno.args[0]));" }, async (folder) => {
    for (const exitCode of [0, 1, 125, 255]) {
      const result = await executeModule(join(folder, "exit.mjs"), [String(exitCode)]);
      assertEquals(result, { exitCode, stdout: "", stderr: "" });
    }
  });
});

Deno.test("arguments reach the script as they are: no shell reads them", async () => {
  const args = [
    "",
    " two  words ",
    'quote " and \\" and \\\\',
    "back\\slash\\",
    "'single'",
    "$HOME `id` $(id)",
    "%PATH% ^& | > out.txt",
    "; echo harm && echo more",
    "*",
    "--flag=ü€😀",
    "line\nbreak",
  ];
  await withScripts({ "args.mjs": "console.log(JSON.stringify(Deno.args));" }, async (folder) => {
    const { stdout } = await executeModule(join(folder, "args.mjs"), args, { cwd: folder });
    assertEquals(JSON.parse(stdout), args);
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assertEquals(left, ["args.mjs"]);
  });
});

Deno.test("the script reads its input and works in its folder", async () => {
  const script = `
    const text = await new Response(Deno.stdin.readable).text();
    console.log(JSON.stringify([text.length, text.slice(0, 3), Deno.cwd()]));
  `;
  await withScripts({ "read.mjs": script }, async (folder) => {
    const path = join(folder, "read.mjs");
    const stdin = "ü€\n".repeat(100_000);
    const { stdout } = await executeModule(path, [], { stdin, cwd: folder });
    assertEquals(JSON.parse(stdout), [300_000, "ü€\n", folder]);
    assertEquals(JSON.parse((await executeModule(path)).stdout).slice(0, 2), [0, ""]);
  });
});

Deno.test("a script that does not read its input ends all the same", async () => {
  await withScripts({ "deaf.mjs": "Deno.exit(3);" }, async (folder) => {
    const stdin = "x".repeat(1_000_000);
    assertEquals((await executeModule(join(folder, "deaf.mjs"), [], { stdin })).exitCode, 3);
  });
});

Deno.test("with an allow-list the script sees those variables, the necessary ones, and no others", async () => {
  const script = "console.log(JSON.stringify(Deno.env.toObject()));";
  await withScripts({ "environment.mjs": script }, async (folder) => {
    const path = join(folder, "environment.mjs");
    Deno.env.set("HOLDFAST_TEST_SHARED", "shared");
    Deno.env.set("HOLDFAST_TEST_SECRET", "secret");
    try {
      const environment = { allow: ["HOLDFAST_TEST_SHARED", "NOT_THERE"], set: { MODE: "a=b" } };
      const seen = JSON.parse((await executeModule(path, [], { environment })).stdout);
      assertEquals(seen.HOLDFAST_TEST_SHARED, "shared");
      assertEquals(seen.MODE, "a=b");
      assertEquals(seen.HOLDFAST_TEST_SECRET, undefined);
      assertEquals("NOT_THERE" in seen, false);
      assert("PATH" in seen || "Path" in seen);
      const all = JSON.parse((await executeModule(path)).stdout);
      assertEquals(all.HOLDFAST_TEST_SECRET, "secret");
      assertEquals(all.DENO_NO_UPDATE_CHECK, Deno.env.get("DENO_NO_UPDATE_CHECK"));
    } finally {
      Deno.env.delete("HOLDFAST_TEST_SHARED");
      Deno.env.delete("HOLDFAST_TEST_SECRET");
    }
  });
});

Deno.test("what is missing is refused before anything starts", async () => {
  const script = 'Deno.writeTextFileSync("started", "");';
  await withScripts({ "run.mjs": script, "batch.cmd": "" }, async (folder) => {
    const path = join(folder, "run.mjs");
    const cwd = folder;
    const refused = (run: Promise<unknown>, message: string): Promise<Error> =>
      assertRejects(() => run, TypeError, message);
    await refused(executeModule(join(folder, "none.mjs")), "there is no such file");
    await refused(executeModule(folder), "there is no such file");
    await refused(executeModule(" "), "without a path");
    await refused(executeModule(path, [], { cwd: join(folder, "none") }), "no such folder");
    await refused(
      executeModule(path, [], { cwd, command: "no-such-program" }),
      'Cannot run "no-such-program": there is no such program on the PATH',
    );
    await refused(
      executeModule(path, [], { cwd, command: ["no-1", "./no-2"] }),
      'Cannot run any of "no-1", "./no-2"',
    );
    await refused(executeModule(join(folder, "batch.cmd")), "a .cmd file is run by a shell");
    await refused(
      executeModule(path, [], { cwd, command: join(folder, "batch.cmd") }),
      "a .cmd file is run by a shell",
    );
    const mode = "fast" as "async";
    await refused(executeModule(path, [], { cwd, mode }), "allowed are async, dry-run");
    await assertRejects(() => Deno.stat(join(folder, "started")), Deno.errors.NotFound);
  });
});

Deno.test("the first of several commands that is there is taken", async () => {
  await withScripts({ "run.mjs": "console.log(1 + 1);" }, async (folder) => {
    const command = ["no-such-program", Deno.execPath()];
    const { stdout } = await executeModule(join(folder, "run.mjs"), [], { command });
    assertEquals(stdout.trim(), "2");
  });
});

Deno.test("a dry run says what would run, and runs nothing", async () => {
  const script = 'Deno.writeTextFileSync("started", "");';
  await withScripts({ "run.mjs": script }, async (folder) => {
    const path = join(folder, "run.mjs");
    const options = { cwd: folder, mode: "dry-run" } as const;
    const { exitCode, stdout, stderr } = await executeModule(path, ["a b"], options);
    assertEquals([exitCode, stderr], [0, ""]);
    assertStringIncludes(stdout, JSON.stringify(path));
    assertStringIncludes(stdout, '"a b"]');
    const lines: OutputLine[] = [];
    await executeLongRunning("r1", path, { ...options, onLine: (line) => void lines.push(line) });
    assertEquals(lines.length, 1);
    await assertRejects(() => Deno.stat(join(folder, "started")), Deno.errors.NotFound);
    await assertRejects(() => executeModule(`${path}x`, [], options), TypeError, "no such file");
  });
});

Deno.test({
  name: "a program that the system will not start is an error that says why, and no exit code",
  ignore: isWindows, // `#!` is POSIX's
  fn: async () => {
    const text = "#!/no/such/interpreter\n";
    await withScripts({ "broken": text }, async (folder) => {
      const path = join(folder, "broken");
      const error = await assertRejects(() => executeModule(path), Error, "Cannot start");
      assertStringIncludes(error.message, "No such file or directory");
    });
  },
});

Deno.test("cancelling ends the script with its children and theirs, also those that will not", async () => {
  await withScripts(FAMILY, async (folder) => {
    const controller = new AbortController();
    const reason = new DOMException("enough", "AbortError");
    const running = executeModule(join(folder, "family.mjs"), [], {
      cwd: folder,
      signal: controller.signal,
    });
    running.catch(() => {});
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    assert(await isAnyAlive(pids));
    controller.abort(reason);
    assertEquals(await assertRejects(() => running, DOMException), reason);
    assertEquals(await isAnyAlive(pids), false);
  });
});

Deno.test("when this process is killed, what it had started ends too", async () => {
  const main = new URL("../../src/mod.ts", import.meta.url).href;
  const files = {
    ...FAMILY,
    "parent.ts": `
      import { executeModule } from ${JSON.stringify(main)};
      await executeModule("family.mjs");
    `,
  };
  await withScripts(files, async (folder) => {
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const parent = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", `--config=${config}`, "--allow-all", "parent.ts"],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(
      async () => (await familyPids(folder)).length === FAMILY_SIZE,
      "the family",
    );
    const pids = await familyPids(folder);
    assert(await isAnyAlive(pids));
    parent.kill("SIGKILL");
    await parent.status;
    await until(async () => !await isAnyAlive(pids), "all of the family to end");
  });
});

Deno.test("an aborted signal starts nothing", async () => {
  const script = 'Deno.writeTextFileSync("started", "");';
  await withScripts({ "run.mjs": script }, async (folder) => {
    const options = { cwd: folder, signal: AbortSignal.abort() };
    await assertRejects(() => executeModule(join(folder, "run.mjs"), [], options), DOMException);
    await assertRejects(() => Deno.stat(join(folder, "started")), Deno.errors.NotFound);
  });
});

Deno.test("a listener that throws ends the script, and its error is the caller's", async () => {
  await withScripts(FAMILY, async (folder) => {
    const onLine = ({ text }: OutputLine): void => {
      if (text === "generation 2") throw new Error("no more");
    };
    const run = (): Promise<unknown> =>
      executeLongRunning("r1", join(folder, "family.mjs"), { cwd: folder, onLine });
    await assertRejects(run, Error, "no more");
    assertEquals(await isAnyAlive(await familyPids(folder)), false);
  });
});

Deno.test({
  name: "what a script leaves behind in its group ends with it",
  ignore: isWindows, // there are no groups, and whose parent has ended is not found
  fn: async () => {
    const script = `
      const child = new Deno.Command(Deno.execPath(), {
        args: ["eval", "setInterval(() => {}, 1000)"], stdin: "null", stdout: "inherit", stderr: "inherit",
      }).spawn();
      console.log(child.pid);
      Deno.exit(0);
    `;
    await withScripts({ "leave.mjs": script }, async (folder) => {
      const { exitCode, stdout } = await executeModule(join(folder, "leave.mjs"));
      assertEquals(exitCode, 0);
      await until(async () => !await isAnyAlive([Number(stdout)]), "what was left to end");
    });
  },
});

Deno.test("a daemon that keeps the outputs open does not keep the run open", async () => {
  const script = `
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "console.log('up'); setInterval(() => {}, 1000)"],
      stdin: "null", stdout: "inherit", stderr: "inherit", detached: true,
    }).spawn();
    console.log(child.pid);
    Deno.exit(0);
  `;
  await withScripts({ "leave.mjs": script }, async (folder) => {
    const { exitCode, stdout } = await executeModule(join(folder, "leave.mjs"));
    assertEquals(exitCode, 0);
    Deno.kill(parseInt(stdout), "SIGKILL");
  });
});

Deno.test("✗ never returned: nor does a daemon that goes on talking", async () => {
  const script = `
    const said = Deno.makeTempDirSync() + "/said";
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "console.log(Deno.pid); Deno.mkdirSync(Deno.args[0]); setInterval(() => console.log('on and on'), 50)", said],
      stdin: "null", stdout: "inherit", stderr: "inherit", detached: true,
    }).spawn();
    for (let isSaid = false; !isSaid;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      try { isSaid = Deno.statSync(said).isDirectory; } catch { isSaid = false; }
    }
    Deno.removeSync(said.slice(0, -"/said".length), { recursive: true });
    Deno.exit(0);
  `;
  await withScripts({ "leave.mjs": script }, async (folder) => {
    const { exitCode, stdout } = await executeModule(join(folder, "leave.mjs"));
    assertEquals(exitCode, 0);
    const pid = parseInt(stdout);
    assert(await isAnyAlive([pid]), "it talks until it is ended");
    Deno.kill(pid, "SIGKILL");
  });
});

Deno.test("✗ never settled: aborting ends a script whose listener does not settle, and nothing is handed on afterwards", async () => {
  const script = 'console.log("first"); console.log("second"); setInterval(() => {}, 1000);';
  await withScripts({ "stay.mjs": script }, async (folder) => {
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    const lines: string[] = [];
    const listening = Promise.withResolvers<void>();
    const running = executeLongRunning("r1", join(folder, "stay.mjs"), {
      signal: controller.signal,
      onLine: async ({ text }) => {
        lines.push(text);
        begun.resolve();
        await listening.promise;
      },
    });
    running.catch(() => {});
    await begun.promise;
    controller.abort(new Error("enough"));
    await assertRejects(() => running, Error, "enough");
    listening.resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(lines, ["first"]);
  });
});

Deno.test("what no program can be given is refused before anything starts", async () => {
  await withScripts({ "run.mjs": "" }, async (folder) => {
    const path = join(folder, "run.mjs");
    const refused = async (options: ScriptOptions, message: string): Promise<void> => {
      const error = await assertRejects(() => executeModule(path, [], options), TypeError);
      assertStringIncludes(error.message, message);
    };
    await assertRejects(() => executeModule(path, ["a\0b"]), TypeError, "U+0000");
    await refused({ command: [] }, "command is empty");
    await refused({ environment: { set: { A: "a\0b" } } }, "the variable A: it contains U+0000");
    await refused({ environment: { set: { "A=B": "1" } } }, 'the variable "A=B": a name without =');
    await refused({ environment: { set: { A: 1 as unknown as string } } }, "is a number");
  });
});

Deno.test({
  name: "a program with an environment of its own finds no secret of this process at its parent's",
  ignore: Deno.build.os !== "linux", // only there a process can read another one's environment
  fn: async () => {
    const script = `
      const text = Deno.readTextFileSync("/proc/" + Deno.ppid + "/environ");
      console.log(text.includes("HOLDFAST_TEST_SECRET"), text.includes("PATH="));
    `;
    await withScripts({ "spy.mjs": script }, async (folder) => {
      Deno.env.set("HOLDFAST_TEST_SECRET", "secret");
      try {
        const options = { environment: {} };
        const { stdout } = await executeModule(join(folder, "spy.mjs"), [], options);
        assertEquals(stdout, "false true\n");
      } finally {
        Deno.env.delete("HOLDFAST_TEST_SECRET");
      }
    });
  },
});

Deno.test("a program that sees all of this process's environment sees its DENO_NO_UPDATE_CHECK, set or not", async () => {
  const script = 'console.log(Deno.env.get("DENO_NO_UPDATE_CHECK"));';
  await withScripts({ "say.mjs": script }, async (folder) => {
    const before = Deno.env.get("DENO_NO_UPDATE_CHECK");
    try {
      for (const value of ["yes", undefined]) {
        if (value === undefined) Deno.env.delete("DENO_NO_UPDATE_CHECK");
        else Deno.env.set("DENO_NO_UPDATE_CHECK", value);
        const { stdout } = await executeModule(join(folder, "say.mjs"));
        assertEquals(stdout, `${value}\n`);
      }
    } finally {
      if (before !== undefined) Deno.env.set("DENO_NO_UPDATE_CHECK", before);
    }
  });
});

Deno.test("output beyond the limit is an error, and ends the script", async () => {
  const isEnded = Promise.withResolvers<void>();
  const processes: Processes = {
    find: () => Promise.resolve({ file: "", args: [], cwd: "", environment: null, stdin: null }),
    start: () => ({
      stdout: new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(100)),
      }),
      stderr: new ReadableStream<Uint8Array>({ start: (controller) => controller.close() }),
      exitCode: isEnded.promise.then(() => 1),
      end: () => Promise.resolve(isEnded.resolve()),
    }),
  };
  const run = () => executeOn(processes, { script: "endless" }, { outputMaxBytes: 1000 });
  await assertRejects(run, RangeError, "longer than 1000 bytes; executeLongRunning keeps none");
  await isEnded.promise;
});

Deno.test({
  name: "a script without a known ending is a program itself",
  ignore: isWindows, // `#!` is POSIX's
  fn: async () => {
    await withScripts({ "hello": "#!/bin/sh\necho hello $1\n" }, async (folder) => {
      const path = join(folder, "hello");
      assertEquals((await executeModule(path, ["you"])).stdout, "hello you\n");
    });
  },
});
