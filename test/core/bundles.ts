/**
 * What runtimes other than Deno are given: bundles of this tree, and the sql.js of npm. Each says why it is not there.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const WORKERD_VERSION = "1.20251217.0";

/** Why there is no Node that is new enough; `undefined` when there is one. */
export async function whyNoNode(): Promise<string | undefined> {
  const found = await run("node", ["--version"]).catch(() => undefined);
  if (found === undefined) return "no node here";
  return Number(found.match(/^v(\d+)/)?.[1]) >= 20 ? undefined : `node is ${found.trim()}, not 20`;
}

const BUN = { name: "@oven/bun-linux-x64", version: "1.4.5" } as const;

/** Where the Bun of npm is, which is loaded first, 35 MB; or why there is none, after a `:`. */
export async function findBun(): Promise<string> {
  const system = `${Deno.build.os} ${Deno.build.arch}`;
  if (system !== "linux x86_64") return `:bun is not tried on ${system}`;
  const lock = join(dirname(fileURLToPath(import.meta.url)), "..", "support", "bun_package.lock");
  const args = ["cache", "--quiet", "--no-config", `--lock=${lock}`, "--frozen"];
  try {
    await run(Deno.execPath(), [...args, `npm:${BUN.name}@${BUN.version}`]);
  } catch (thrown) {
    return `:npm gives no bun: ${String(thrown).split("\n")[0]}`;
  }
  return join(await packageFolder(BUN.name, BUN.version), "bin", "bun");
}

/** Why there is no workerd for this system; `undefined` when there is one. */
export function whyNoWorkerd(): string | undefined {
  const system = `${Deno.build.os} ${Deno.build.arch}`;
  return system === "linux x86_64" ? undefined : `workerd is not tried on ${system}`;
}

/** Bundles a module of this tree into one file, as `docs/edge.md` tells users to. */
export async function bundle(module: string, target: string): Promise<void> {
  const platform = module.startsWith("test/") ? "deno" : "browser";
  await run(Deno.execPath(), ["bundle", "--platform", platform, "--output", target, module]);
}

/** The contract suites of queues and managers on the queue of `./core` in memory, in a runtime: all of them, and all hold. */
export async function contractsHoldIn(runtime: string, folder: string): Promise<void> {
  const program = join(folder, "contracts.mjs");
  await bundle("test/core/programs/contracts.ts", program);
  const { passed, failed } = JSON.parse(await run(runtime, [program, await sqlJsFolder()]));
  assertEquals(failed, []);
  assert(passed > 300, `${passed} behaviours were tried`);
}

/** The folder with the builds of sql.js, as npm has them. */
export async function sqlJsFolder(): Promise<string> {
  const info = JSON.parse(await run(Deno.execPath(), ["info", "--json", "src/mod.ts"]));
  const [name, version] = Object.values(
    info.npmPackages as Record<string, { readonly name: string; readonly version: string }>,
  ).flatMap((each) => each.name === "sql.js" ? [each.name, each.version] : []);
  return join(await packageFolder(name!, version!), "dist");
}

/** Where Deno keeps a package that it has loaded. */
async function packageFolder(name: string, version: string): Promise<string> {
  const cache = JSON.parse(await run(Deno.execPath(), ["info", "--json"])).npmCache as string;
  for await (const registry of Deno.readDir(cache)) {
    const folder = join(cache, registry.name, name, version);
    if (await Deno.stat(folder).then(() => true, () => false)) return folder;
  }
  throw new Error(`${name}@${version} is not in ${cache}`);
}

/** Where workerd is; loads it from npm first. */
export async function workerdPath(): Promise<string> {
  const support = join(dirname(fileURLToPath(import.meta.url)), "..", "support");
  const said = await run(Deno.execPath(), [
    ...["run", "--no-config", `--lock=${join(support, "workerd_package.lock")}`, "--allow-all"],
    ...[join(support, "workerd_package.ts"), WORKERD_VERSION],
  ]);
  return said.trim().split("\n").at(-1)!;
}

/** Runs a program in the checkout's folder, and gives what it printed. @throws Error with what it said, when it fails. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd: ROOT, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`${program} ${args[0]}: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
}

/** A folder that is removed at the end. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast edge " });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
