/**
 * `deno task compile` and `deno task compile:windows`: the program as one file in `dist/`.
 *
 * `--deno=PATH` names the Deno that makes it (default: the one that runs this). All other options go to its `deno compile`:
 * `--target`, `--output`, `--no-check`. What is embedded is printed before it is done.
 */
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesText } from "../task_text.ts";
import { planEmbedding } from "./embedding.ts";
import { windowsIcon } from "./icon.ts";
import { PERMISSIONS } from "./permissions.ts";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
const DIST = join(CHECKOUT, "dist");

/** Begins the option that is ours. */
const DENO_OPTION = "--deno=";

/** The commit that is checked out; `null` when unknown. */
async function commit(): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["describe", "--always", "--dirty", "--abbrev=12"],
      cwd: CHECKOUT,
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}

/**
 * The module that the binary runs: the command line, with what is known of this build. It imports by relative paths: of
 * absolute ones the binary would look for the files in the checkout's folder, wherever it runs.
 */
async function writeEntry(): Promise<string> {
  const build = { commit: await commit(), builtAt: new Date().toISOString() };
  const entry = join(DIST, "holdfast_main.ts");
  await Deno.writeTextFile(
    entry,
    `import { systemIo } from ${specifier("cli", "io.ts")};
import { main } from ${specifier("cli", "main.ts")};
import { serveProcessWatcher } from ${specifier("src", "mod.ts")};
await serveProcessWatcher(Deno.args);
Deno.exit(await main(Deno.args, systemIo(), ${JSON.stringify(build)}));
`,
  );
  return entry;
}

/** What the entry imports to get the file of the checkout at `path`. */
function specifier(...path: readonly string[]): string {
  return JSON.stringify(relative(DIST, join(CHECKOUT, ...path)).replaceAll("\\", "/"));
}

async function compile(args: readonly string[]): Promise<number> {
  const chosen = args.findLast((arg) => arg.startsWith(DENO_OPTION));
  const options = args.filter((arg) => !arg.startsWith(DENO_OPTION));
  await Deno.mkdir(DIST, { recursive: true });
  const entry = await writeEntry();
  const { excluded, modules, packages } = await planEmbedding(entry);
  console.error(
    `embeds ${modules.files} modules (${
      bytesText(modules.bytes)
    }) and ${packages.files} files of ` +
      `packages (${bytesText(packages.bytes)})`,
  );
  const isWindows = options.some((option) => option.includes("windows")) ||
    (Deno.build.os === "windows" && !options.some((option) => option.startsWith("--target")));
  const hasOutput = options.some((option) => /^(-o|--output)/.test(option));
  const icon = join(DIST, "holdfast.ico");
  if (isWindows) await Deno.writeFile(icon, windowsIcon());
  const compiler = compilerFor({
    args: [
      "compile",
      `--config=${join(CHECKOUT, "deno.json")}`,
      ...PERMISSIONS,
      ...excluded.flatMap((path) => ["--exclude", path]),
      ...isWindows ? ["--icon", icon] : [],
      ...hasOutput ? [] : ["--output", join(DIST, isWindows ? "holdfast.exe" : "holdfast")],
      ...options,
      entry,
    ],
    stdout: "inherit",
    stderr: "inherit",
  }, chosen?.slice(DENO_OPTION.length));
  return (await compiler.output()).code;
}

/** The Deno that compiles: the one at `path`, or the one that runs this. */
function compilerFor(command: Deno.CommandOptions, path: string | undefined): Deno.Command {
  if (path !== undefined) return new Deno.Command(path, command);
  return new Deno.Command(Deno.execPath(), { ...command });
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
