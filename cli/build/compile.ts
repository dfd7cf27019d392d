/**
 * `deno task compile` and `deno task compile:windows`: the program as one file in `dist/`.
 *
 * Options go to `deno compile`: `--target`, `--output`, `--no-check`. What is embedded is told before it is done.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bytesText } from "../task_text.ts";
import { planEmbedding } from "./embedding.ts";
import { windowsIcon } from "./icon.ts";
import { PERMISSIONS } from "./permissions.ts";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
const DIST = join(CHECKOUT, "dist");

/** The commit that is checked out; `null` when nobody knows. */
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

/** The module that the binary runs: the command line, with what is known of this build. */
async function writeEntry(): Promise<string> {
  const build = { commit: await commit(), builtAt: new Date().toISOString() };
  const main = pathToFileURL(join(CHECKOUT, "cli", "main.ts")).href;
  const entry = join(DIST, "holdfast_main.ts");
  await Deno.writeTextFile(
    entry,
    `import { systemIo } from ${JSON.stringify(new URL("./io.ts", main).href)};
import { main } from ${JSON.stringify(main)};
import { serveProcessWatcher } from ${JSON.stringify(new URL("../src/mod.ts", main).href)};
await serveProcessWatcher(Deno.args);
Deno.exit(await main(Deno.args, systemIo(), ${JSON.stringify(build)}));
`,
  );
  return entry;
}

async function compile(options: readonly string[]): Promise<number> {
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
  const { code } = await new Deno.Command(Deno.execPath(), {
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
  }).output();
  return code;
}

if (import.meta.main) Deno.exit(await compile(Deno.args));
