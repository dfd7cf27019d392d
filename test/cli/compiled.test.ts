/**
 * The compiled program, for real: made from a copy of the sources that is gone when it runs, started in an empty folder
 * with an empty home, without network where the system can take it away.
 *
 * Where no compiler can be had, all of this is ignored, and standard error says why.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProgram } from "../../cli/main.ts";
import { commandName, commandsOf } from "../../cli/manual.ts";
import { type Compiler, findCompiler } from "../support/compilers.ts";
import { until } from "../support/until.ts";
import { startPostgres, whyNotStarted } from "../support/postgres_server.ts";
import { capturedIo, type Json, Listener } from "./cli_harness.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** What the program is made of. */
const SOURCES: readonly string[] = ["cli", "dashboard", "server", "src", "deno.json", "deno.lock"];

const HANDLERS = `
export function double({ payload }) { return payload.n * 2; }
export function broken() { throw new Error("as it should"); }
export async function second(_task, { attempt, signal }) {
  if (attempt > 1) return attempt;
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  throw signal.reason;
}
`;

const TYPED_HANDLERS = `
interface Task { readonly payload: { readonly n: number } }
export function triple(task: Task): number { return task.payload.n * 3; }
`;

const isWindows = Deno.build.os === "windows";
// before any test, as it decides whether there are any
const found = await findCompiler();
const compiler = typeof found === "string" ? undefined : found;
if (typeof found === "string") console.error(`test/cli/compiled.test.ts is ignored: ${found}`);

const home = await Deno.makeTempDir({ prefix: "holdfast compiled ü " });
const program = join(home, "bin", isWindows ? "holdfast.exe" : "holdfast");
const withoutNetwork = await canUnshare() ? ["unshare", "--net"] : [];

Deno.test.beforeAll(async () => {
  if (compiler !== undefined) await compile(compiler);
});

Deno.test.afterAll(() => Deno.remove(home, { recursive: true }));

/** Whether a program can be started without any network. */
async function canUnshare(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    return (await new Deno.Command("unshare", { args: ["--net", "true"] }).output()).success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** What `deno task compile` does, in a copy of the tree that is removed. */
async function compile({ args, env }: Compiler): Promise<void> {
  const tree = join(home, "tree");
  for (const name of SOURCES) await copy(join(CHECKOUT, name), join(tree, name));
  const main = join(tree, "cli", "build", "compile.ts");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, ...args, "--no-check", "--output", program],
    env,
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
  await Deno.remove(tree, { recursive: true });
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

/** An empty folder that the program is started in, and the commands that were. */
class Place implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ dir: home, prefix: "place " });
  readonly walked: string[] = [];

  async write(name: string, content: unknown): Promise<void> {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.writeTextFile(join(this.folder, name), text);
  }

  command(args: readonly string[], prefix: readonly string[] = withoutNetwork): Deno.Command {
    this.walked.push(args.join(" "));
    const kept = ["PATH", "SystemRoot", "TEMP", "TMP"].flatMap((name) => {
      const value = name === "PATH" && !isWindows ? "/usr/bin:/bin" : Deno.env.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    const [file, ...rest] = [...prefix, program, ...args] as [string, ...string[]];
    return new Deno.Command(file, {
      args: rest,
      cwd: this.folder,
      clearEnv: true,
      env: { ...Object.fromEntries(kept), HOME: this.folder, USERPROFILE: this.folder },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** What a command answers. It must end with `wanted`. */
  async run(
    args: readonly string[],
    wanted = 0,
    prefix: readonly string[] = withoutNetwork,
  ): Promise<string> {
    const { code, stdout, stderr } = await this.command(args, prefix).output();
    const decoder = new TextDecoder();
    assertEquals(code, wanted, `${args.join(" ")}: ${decoder.decode(stderr)}`);
    return wanted === 0 ? decoder.decode(stdout) : decoder.decode(stderr);
  }

  async json(args: readonly string[]): Promise<Json> {
    return JSON.parse(await this.run([...args, "--json"]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A test of the compiled program. */
function test(name: string, act: (place: Place, by: Compiler) => Promise<void>): void {
  Deno.test({
    name: `the compiled program ${name}`,
    ignore: compiler === undefined,
    fn: async () => {
      await using place = new Place();
      await act(place, compiler!);
    },
  });
}

test("says what it is made of", async (place, { version }) => {
  const { deno, compiled } = await place.json(["version"]);
  assertEquals([deno, compiled], [version, true]);
  assertMatch(await place.run(["--version"]), /^holdfast \d+\.\d+\.\d+ .*\ndeno .*sqlite 3\./);
});

test("runs handlers that lie beside it, also isolated", async (place, { importsTypeScript }) => {
  await place.write("handlers.js", HANDLERS);
  await place.write("typed.ts", TYPED_HANDLERS);
  const isolation = { isolation: "worker", permissions: "none" };
  const listed = { task_type: "double", module: "handlers.js", function: "double" };
  await place.write("list.json", [{ ...listed, ...isolation }]);
  const double = ["run", "double", "--payload", '{"n":21}', "--handlers"];
  assertEquals(await place.run([...double, "handlers.js"]), "42\n");
  assertEquals(await place.run([...double, "list.json"]), "42\n");
  const triple = ["run", "triple", "--payload", '{"n":14}', "--handlers", "typed.ts"];
  if (importsTypeScript) assertEquals(await place.run(triple), "42\n");
  else assertStringIncludes(await place.run(triple, 2), "Cannot load handlers from");
});

test("finds its settings in a project file of any kind, and its handlers beside it", async (place) => {
  await place.write("handlers.js", HANDLERS);
  const files = {
    "holdfast.toml": 'db = "a.db"\n',
    "holdfast.yaml": "db: a.db\n",
    "holdfast.json": '{"db":"a.db"}',
  };
  for (const [name, text] of Object.entries(files)) {
    await place.write(name, text);
    assertEquals(await place.run(["run", "double", "--payload", '{"n":21}']), "42\n");
    const { settings } = await place.json(["config"]);
    assertEquals(settings[0], { name: "db", value: "a.db", from: name });
    await Deno.remove(join(place.folder, name));
  }
  assertEquals((await place.json(["list", "--db", "a.db"])).total, 3);
});

test("runs command modules, and says what scripts need", async (place) => {
  await place.write("script.ts", 'console.log("hi" as string);');
  await place.write("modules.json", [
    { id: "itself", command: program, arguments: ["--version"] },
    { id: "script", script: "script.ts" },
  ]);
  const run = (id: string): string[] => ["run", id, "--modules", "modules.json"];
  const answer = JSON.parse(await place.run(run("itself")));
  assertEquals(answer.exit_code, 0);
  assertStringIncludes(answer.stdout_tail, "sqlite 3.");
  const { stderr } = await place.command([...run("script"), "--max-attempts", "1"]).output();
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "cannot run .ts files itself: install Deno",
  );
});

test("that is killed at work loses nothing: the next one takes the task over", async (place) => {
  await place.write("handlers.js", HANDLERS);
  await place.run(["enqueue", "second"]);
  const worker = ["worker", "--handlers", "handlers.js", "--lease-ms", "1000"];
  const first = place.command(worker).spawn();
  const isLeased = async (): Promise<boolean> =>
    (await place.json(["show", "1"])).status === "leased";
  await until(isLeased, "the task to be leased");
  first.kill("SIGKILL");
  await first.output();
  await place.run([...worker, "--until-empty"]);
  const { status, attempts, result } = await place.json(["show", "1"]);
  assertEquals([status, attempts, result], ["completed", 2, 2]);
});

test("serves HTTP, to others and to itself", async (place) => {
  await place.write("handlers.js", HANDLERS);
  const serve = ["serve", "--port", "0", "--handlers", "handlers.js"];
  const child = place.command(serve, []).spawn();
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  await err.until("listening on http://127.0.0.1:");
  const url = /listening on (\S+)/.exec(err.text)![1]!;
  const response = await fetch(`${url}/api/health`);
  assertEquals([response.status, (await response.json()).status], [200, "healthy"]);
  const asked = place.command(["run", "double", "--payload", '{"n":21}', "--url", url], []);
  const { code, stdout, stderr } = await asked.output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stdout)], [0, "42\n"], decoder.decode(stderr));
  child.kill(isWindows ? "SIGKILL" : "SIGTERM");
  const { code: ended } = await child.status;
  if (!isWindows) assertEquals(ended, 0);
  await Promise.all([out.ended, err.ended]);
});

if (whyNotStarted() === undefined) {
  test("works on a queue on PostgreSQL", async (place) => {
    await using server = await startPostgres();
    const run = (...args: string[]): Promise<string> =>
      place.run([...args, "--db", `${server.url}?schema=compiled`], 0, []);
    assertStringIncludes(await run("migrate", "--dry-run"), "create table");
    await run("migrate");
    await place.write("handlers.js", HANDLERS);
    await run("enqueue", "double", "--payload", '{"n":21}', "--run-id", "first");
    await run("worker", "--handlers", "handlers.js", "--until-empty");
    assertEquals(JSON.parse(await run("show", "first", "--json")).result, 42);
  });
}

test("has every command", async (place) => {
  await walkTasks(place);
  await walkSchedules(place);
  await walkLimits(place);
  await walkFiles(place);
  await walkChanges(place);
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    assertStringIncludes(await place.run(["completions", shell]), "holdfast");
  }
  assertMatch(await place.run(["token", "create", "ci", "--scopes", "read"]), /\S{20}/);
  assertEquals((await place.json(["version"])).compiled, true);
  const elsewhere = ["serve", "run", "migrate"];
  const commands = commandsOf(
    createProgram(capturedIo().io, { run: () => Promise.resolve() }),
  ).map(commandName);
  const groups = commands.filter((name) => commands.some((other) => other.startsWith(`${name} `)));
  const missing = commands.filter((name) =>
    ![...elsewhere, ...groups].includes(name) &&
    !place.walked.some((line) => `${line} `.startsWith(`${name} `))
  );
  assertEquals(missing, [], "commands that were not tried");
});

async function walkTasks(place: Place): Promise<void> {
  await place.write("handlers.js", HANDLERS);
  await place.write("batch.ndjson", '{"type":"double","payload":{"n":1}}\n{"type":"other"}\n');
  await place.run(["enqueue", "double", "--payload", '{"n":21}', "--run-id", "first"]);
  await place.run(["enqueue", "broken", "--max-attempts", "1"]);
  assertEquals((await place.json(["enqueue", "--batch", "batch.ndjson"])).created, 2);
  await place.run(["worker", "--handlers", "handlers.js", "--until-empty"]);
  assertEquals((await place.json(["show", "first"])).result, 42);
  assertEquals((await place.json(["show", "2"])).status, "failed");
  await place.run(["cancel", "4"]);
  // nothing is due now, however long the commands take
  await place.run(["health"]);
  await place.run(["retry", "2"]);
  assertStringIncludes(await place.run(["explain", "4"]), "ancel");
  assertEquals((await place.json(["list"])).total, 4);
  for (const command of ["transitions", "logs"]) await place.run([command, "1"]);
  for (const command of ["stats", "workers", "config", "backend"]) await place.run([command]);
  assertEquals((await place.json(["prune", "--keep", "3"])).pruned, 0);
}

/** What changes tasks that wait, one and all that match. */
async function walkChanges(place: Place): Promise<void> {
  await place.run(["enqueue", "spare", "--run-id", "spare", "--run-after", "+1d"]);
  await place.run(["update", "spare", "--priority", "7", "--tag", "b", "--tag", "a"]);
  assertEquals((await place.json(["list", "--tag", "a"])).tasks[0].tags, ["a", "b"]);
  assertEquals((await place.json(["show", "spare"])).priority, 7);
  await place.run(["replace", "spare", "--payload", '{"n":2}', "--run-id", "other"]);
  assertEquals((await place.json(["show", "spare"])).status, "cancelled");
  await place.run(["remove", "spare"]);
  const bulk = (action: string, ...options: string[]): Promise<string> =>
    place.run(["bulk", action, "--type", "spare", ...options]);
  await bulk("set-priority", "--priority", "9");
  await bulk("reschedule", "--run-after", "+2d");
  const { priority, payload } = await place.json(["show", "other"]);
  assertEquals([priority, payload], [9, { n: 2 }]);
  const found = await place.json(["search", '"N":2', "--type", "spare", "--all"]);
  assertEquals(found.tasks.map(({ run_id }: { run_id: string }) => run_id), ["other"]);
  for (const action of ["cancel", "retry", "cancel", "remove"]) await bulk(action);
  assertEquals((await place.json(["list", "--type", "spare"])).total, 0);
}

async function walkSchedules(place: Place): Promise<void> {
  await place.run(["schedule", "add", "nightly", "report", "--cron", "30 2 * * *"]);
  for (const step of ["pause", "resume"]) await place.run(["schedule", step, "nightly"]);
  assertEquals((await place.json(["schedule", "list"])).schedules.length, 1);
  await place.run(["schedule", "remove", "nightly"]);
}

async function walkLimits(place: Place): Promise<void> {
  await place.run(["limit", "set", "--type", "double", "--concurrency", "2"]);
  await place.run(["pause", "--type", "double", "--reason", "tried"]);
  assertEquals((await place.json(["limit", "list"])).limits.length, 1);
  await place.run(["resume", "--type", "double"]);
  await place.run(["limit", "remove", "--type", "double"]);
  await place.run(["limit", "set", "--type", "double", "--rate", "100/1m", "--burst", "5"]);
  const { limits } = await place.json(["limit", "list"]);
  assertEquals(limits[0].rate, { limit: 100, period_ms: 60_000, burst: 5 });
  await place.run(["limit", "remove", "--type", "double"]);
}

async function walkFiles(place: Place): Promise<void> {
  await place.run(["checkpoint"]);
  await place.run(["check"]);
  await place.run(["backup", "copy.db"]);
  await place.run(["restore", "copy.db"]);
  await place.run(["repair", "--output", "repaired.db"]);
  await place.run(["move", "--from", "repaired.db", "--to", "moved.db"]);
  const tasks = (await place.json(["list"])).total;
  for (const [format, file] of [["original", "out.db"], ["ndjson", "out.ndjson"]] as const) {
    await place.run(["export", "--format", format, "--output", file]);
    await place.run(["import", file, "--db", `from ${basename(file)}.db`]);
    assertEquals((await place.json(["list", "--db", `from ${basename(file)}.db`])).total, tasks);
  }
}
