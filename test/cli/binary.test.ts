/**
 * The program as the binary runs it: from another folder, with the files that are embedded and no others, with the
 * permissions that are declared and no others, offline.
 *
 * The runtime that `deno compile` puts around all this is a download; a stand-in shows that everything else resolves, on
 * any machine. `compiled.test.ts` runs the real thing.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyEmbedded, planEmbedding } from "../../cli/build/embedding.ts";
import { windowsIcon } from "../../cli/build/icon.ts";
import { PERMISSIONS } from "../../cli/build/permissions.ts";
import { holdfast, type Json, Listener, Scratch } from "./cli_harness.ts";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(CHECKOUT, "cli", "main.ts");
const MIB = 1024 * 1024;

/** A handler file beside the binary, in TypeScript. */
const HANDLERS_TEXT = `
interface Task { readonly payload: { readonly n: number } }
export function double(task: Task): number { return task.payload.n * 2; }
`;

/** A module cache that holds what the binary embeds, and nothing else. */
async function embeddedCache(scratch: Scratch): Promise<string> {
  const { packageFolders, excluded } = await planEmbedding(MAIN);
  const cache = scratch.path("cache");
  for (const [id, folder] of packageFolders) {
    const version = basename(folder);
    assert(id.endsWith(`@${version}`), folder);
    const name = id.slice(0, -version.length - 1);
    const registry = folder.slice(0, -join(name, version).length);
    const target = join(cache, "npm", basename(registry), name);
    await copyEmbedded(folder, join(target, version), new Set(excluded));
  }
  await writeConfiguration(cache, [...packageFolders.keys()]);
  return cache;
}

/** The configuration and the lock file with the needed packages alone: Deno wants every package of both before it runs. */
async function writeConfiguration(folder: string, needed: readonly string[]): Promise<void> {
  const isNeeded = (id: string): boolean => needed.includes(id.replace(/^npm:|(?<=.)_.*$/g, ""));
  const read = async (name: string): Promise<Json> =>
    JSON.parse(await Deno.readTextFile(join(CHECKOUT, name)));
  const { imports, nodeModulesDir, unstable, compilerOptions } = await read("deno.json");
  const kept = keptOf<string>(imports, (_, target) => isNeeded(target));
  await Deno.writeTextFile(
    join(folder, "deno.json"),
    JSON.stringify({ imports: kept, nodeModulesDir, unstable, compilerOptions }),
  );
  const { version, specifiers, npm } = await read("deno.lock");
  const dependencies = Object.values(kept).sort();
  const lock = {
    version,
    specifiers: keptOf(specifiers, isNeeded),
    npm: keptOf(npm, isNeeded),
    workspace: { dependencies },
  };
  await Deno.writeTextFile(join(folder, "deno.lock"), JSON.stringify(lock));
}

/** The entries of `record` that `isKept` keeps. */
function keptOf<T>(
  record: Readonly<Record<string, T>>,
  isKept: (key: string, value: T) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => isKept(key, value)));
}

/** The program with the binary's permissions, from a folder that is not the checkout. */
function asBinary(scratch: Scratch, cache: string, args: readonly string[]): Deno.Command {
  const kept = ["PATH", "HOME", "SystemRoot", "TEMP", "TMP", "USERPROFILE"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--cached-only",
      `--config=${join(cache, "deno.json")}`,
      `--lock=${join(cache, "deno.lock")}`,
      "--frozen",
      ...PERMISSIONS,
      MAIN,
      ...args,
    ],
    cwd: scratch.folder,
    clearEnv: true,
    env: { ...Object.fromEntries(kept), DENO_DIR: cache, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("the program runs with the embedded files and the declared permissions only, anywhere", async () => {
  await using scratch = new Scratch();
  const cache = await embeddedCache(scratch);
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await asBinary(scratch, cache, args).output();
    assertEquals(code, 0, `${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  };
  assertMatch(await run("--version"), /^holdfast \d+\.\d+\.\d+ .*\ndeno .*sqlite 3\./);
  await Deno.mkdir(scratch.path("my handlers"));
  await Deno.writeTextFile(scratch.path("my handlers/double.ts"), HANDLERS_TEXT);
  const list = [{ task_type: "double", module: "double.ts", function: "double" }];
  const isolated = list.map((entry) => ({ ...entry, isolation: "worker", permissions: "none" }));
  await Deno.writeTextFile(scratch.path("my handlers/list.json"), JSON.stringify(list));
  await Deno.writeTextFile(scratch.path("my handlers/isolated.json"), JSON.stringify(isolated));
  for (const file of ["double.ts", "list.json", "isolated.json"]) {
    const handlers = join("my handlers", file);
    assertEquals(
      await run("run", "double", "--payload", '{"n":21}', "--handlers", handlers),
      "42\n",
    );
  }
  await run("backup", "copy.db");
  await run("check");
  assertEquals(JSON.parse(await run("list", "--json")).total, 3);
  assert(
    (await Deno.stat(scratch.path("data/queue.db"))).isFile,
    "in the folder it was started in",
  );
});

Deno.test("the program serves HTTP with the declared permissions", async () => {
  await using scratch = new Scratch();
  const cache = await embeddedCache(scratch);
  const child = asBinary(scratch, cache, ["serve", "--port", "0"]).spawn();
  const [out, err] = [new Listener(child.stdout), new Listener(child.stderr)];
  await err.until("listening on http://127.0.0.1:");
  const url = /listening on (\S+)/.exec(err.text)![1]!;
  const response = await fetch(`${url}/api/health`);
  assertEquals([response.status, (await response.json()).status], [200, "healthy"]);
  child.kill("SIGTERM");
  await child.status;
  await Promise.all([out.ended, err.ended]);
});

Deno.test({
  name:
    "deno task compile resolves everything, and embeds neither unused builds of sql.js nor packages of tests",
  // on Linux any program can stand in for the runtime
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using scratch = new Scratch();
    const output = scratch.path("holdfast");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "compile", "--no-check", "--cached-only", "--output", output],
      cwd: CHECKOUT,
      env: { DENORT_BIN: "/bin/true", NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, said);
    const standIn = (await Deno.stat("/bin/true")).size;
    const payload = (await Deno.stat(output)).size - standIn;
    console.log(`embedded: ${(payload / MIB).toFixed(1)} MiB`);
    assert(payload > 5 * MIB && payload < 16 * MIB, `${payload} bytes`);
    assertMatch(said, /sql\.js\/1\.\d+\.\d+\/\* \(9\d\d\.\d+KB/);
    for (const absent of ["fast-check", "fast-png", "cli-table3", "test/"]) {
      assert(!said.includes(absent), `${absent} is embedded`);
    }
  },
});

Deno.test("what is kept out is named file by file, and is there", async () => {
  const { excluded, modules, packages } = await planEmbedding(MAIN);
  assert(excluded.length > 15, `${excluded.length} are kept out`);
  for (const path of excluded) await Deno.stat(path);
  assert(excluded.some((path) => path.endsWith("sql-asm.js")));
  assert(!excluded.some((path) => basename(path) === "sql-wasm-inline.js"));
  assert(modules.files > 100 && packages.files > 500);
  assert(modules.bytes + packages.bytes < 15 * MIB, `${modules.bytes + packages.bytes} bytes`);
});

Deno.test("the icon is one that Windows reads: a header, one picture, its size", () => {
  const bytes = windowsIcon();
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint16(0, true), view.getUint16(2, true), view.getUint16(4, true)], [
    0,
    1,
    1,
  ]);
  const [size, offset] = [view.getUint32(14, true), view.getUint32(18, true)];
  assertEquals(offset + size, bytes.length);
  assertEquals([bytes[6], bytes[7], view.getUint32(offset, true)], [32, 32, 40]);
  assert(new Set(bytes.slice(offset + 40)).size > 3, "it shows something");
});

Deno.test("--version says the same as the command version, also as JSON", async () => {
  await using scratch = new Scratch();
  const { code, doc } = await scratch.json(["version"]);
  assertEquals(code, 0);
  const configuration = JSON.parse(await Deno.readTextFile(join(CHECKOUT, "deno.json")));
  assertEquals(doc.version, configuration.version);
  assertEquals([doc.deno, doc.v8, doc.compiled], [Deno.version.deno, Deno.version.v8, false]);
  assertMatch(doc.sqlite, /^3\.\d+\.\d+$/);
  const { out } = await holdfast(["--version"]);
  assertStringIncludes(out, doc.sqlite);
});
