/**
 * `deno task coverage`: prints the lines of `src/` that the tests reached, folder by folder, and fails when too few were.
 *
 * Reads the profiles in `coverage/`. What tests run in processes of their own is not counted.
 */
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The least share of lines, in percent. */
const WANTED: Readonly<Record<string, number>> = { "src/manager": 95, "src (all)": 90 };

const ALL = "src (all)";

/** How many lines can be reached, and how many were. */
interface Lines {
  found: number;
  hit: number;
}

async function main(profiles = "coverage"): Promise<void> {
  const folders = linesOfFolders(await lcovOf(profiles));
  let isEnough = folders.has(ALL);
  for (const [folder, lines] of [...folders].sort(([a], [b]) => a < b ? -1 : 1)) {
    const percent = lines.hit / lines.found * 100;
    const wanted = WANTED[folder] ?? 0;
    if (percent < wanted) isEnough = false;
    const verdict = wanted === 0
      ? ""
      : percent < wanted
      ? `  below ${wanted} %`
      : `  ≥ ${wanted} %`;
    console.log(
      `${folder.padEnd(16)} ${percent.toFixed(1).padStart(5)} %  ${
        `${lines.hit}/${lines.found}`.padStart(11)
      }${verdict}`,
    );
  }
  if (!isEnough) Deno.exit(1);
}

async function lcovOf(profiles: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["coverage", "--lcov", "--include=/src/", profiles],
    cwd: ROOT,
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Sums up the totals of each file: `SF` names it, `LF` and `LH` count its lines. */
function linesOfFolders(lcov: string): Map<string, Lines> {
  const folders = new Map<string, Lines>();
  let names: string[] = [];
  for (const line of lcov.split(/\r?\n/)) {
    const [, key, value] = /^(SF|LF|LH):(.*)$/.exec(line) ?? [];
    if (key === "SF") names = [folderOf(value!), ALL];
    if (key === "LF") { for (const name of names) linesOf(folders, name).found += Number(value); }
    if (key === "LH") { for (const name of names) linesOf(folders, name).hit += Number(value); }
  }
  return folders;
}

function linesOf(folders: Map<string, Lines>, name: string): Lines {
  const lines = folders.get(name) ?? { found: 0, hit: 0 };
  folders.set(name, lines);
  return lines;
}

function folderOf(path: string): string {
  return dirname(relative(ROOT, path)).replaceAll("\\", "/");
}

if (import.meta.main) await main(...Deno.args);
