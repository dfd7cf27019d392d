/**
 * `deno task test`: the test files of the chosen size, in as many processes as there are processors; with arguments, one
 * `deno test` with them.
 *
 * Files are imported in small groups, each into one process, so that what they share is loaded once; a process that is
 * ready takes the next group. Not `--parallel`, which runs files in threads of one process: the working folder, the
 * environment and open files are the whole process's, and are tested. Output comes group by group; what failed comes again
 * at the end, before the sum.
 */
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { EFFORT, effort, LEFT_OUT } from "./support/effort.ts";
import { TEST_PERMISSIONS } from "./support/permissions.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Imports the files that it is given. */
const IMPORT_FILES = "test/support/import_files.ts";

const FLAGS = [
  "--quiet",
  "--sanitize-ops",
  "--sanitize-resources",
  ...TEST_PERMISSIONS,
];

/** More would have to share memory and disk, which many tests fill. */
const PROCESSES_MAX = 4;

/** What became of tests. */
interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  /** What `deno test` says of failures. */
  readonly errors: string;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) return await run(["test", ...FLAGS, ...args]);
  const startedMs = performance.now();
  const files = (await testFiles(join(ROOT, "test"))).map(nameOf).filter(isOfThisSize);
  const jobs = [...typesOfThisSize(), ...groupsOf(files).map((group) => () => runGroup(group))];
  const outcomes: Outcome[] = [];
  const takeJobs = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) outcomes.push(await job());
  };
  const processes = Math.min(navigator.hardwareConcurrency, PROCESSES_MAX);
  await Promise.all(Array.from({ length: processes }, takeJobs));
  return report(outcomes, performance.now() - startedMs);
}

/** Runs Deno here, with this process's streams; its exit code. */
async function run(args: readonly string[]): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT });
  return (await command.spawn().status).code;
}

/** In everyday work types are checked by `deno task check`, which `deno task ok` runs before: they cost a third of the tests' time. */
function typesOfThisSize(): (typeof checkTypes)[] {
  return EFFORT === "quick" ? [] : [checkTypes];
}

/** The types of all tests; counts as a test when they are wrong. */
async function checkTypes(): Promise<Outcome> {
  const isRight = await run(["check", "--quiet", "test"]) === 0;
  const errors = isRight ? "" : "the types of the tests are wrong, see above";
  return { passed: 0, failed: isRight ? 0 : 1, ignored: 0, errors };
}

async function testFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) files.push(...await testFiles(path));
    else if (name.endsWith(".test.ts")) files.push(path);
  }
  return files.sort();
}

/** The path of a file below this checkout, with slashes. */
function nameOf(path: string): string {
  return relative(ROOT, path).replaceAll(sep, "/");
}

/** Whether a run without arguments has this file in it. */
function isOfThisSize(file: string): boolean {
  if (EFFORT !== "quick") return true;
  return !LEFT_OUT.some((left) => file === left || file.startsWith(`${left}/`));
}

function groupsOf(files: readonly string[]): string[][] {
  const most = effort("filesOfAProcess");
  return Array.from(
    { length: Math.ceil(files.length / most) },
    (_, n) => files.slice(n * most, (n + 1) * most),
  );
}

/** Runs these files in one process, and prints what it says when that is complete. */
async function runGroup(files: readonly string[]): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...FLAGS, "--no-check", IMPORT_FILES, "--", ...files],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
    }
    if (rest !== "") lines.push(rest);
  };
  await Promise.all([collect(child.stdout), collect(child.stderr)]);
  const { success, code } = await child.status;
  const outcome = outcomeOf(lines, success, `ended with ${code}: the tests of ${files.join(" ")}`);
  console.log(lines.map(fileNamed).join("\n"));
  return { ...outcome, ignored: outcome.ignored - files.length };
}

/** The line that says whose tests come, as `deno test` writes it. */
function fileNamed(line: string): string {
  const file = plain(line).match(/^from (\S+\.test\.ts) \.\.\. ignored/)?.[1];
  return file === undefined ? line : `\nrunning tests from ./${file}`;
}

/** A line without its colours. */
const plain = stripVTControlCharacters;

/** Takes what stands after the tests out of `lines`. A run that ended without a sum failed. */
function outcomeOf(lines: string[], isSuccess: boolean, otherwise: string): Outcome {
  const sumAt = lines.findLastIndex((line) => /^(ok|FAILED) \| \d+ passed/.test(plain(line)));
  if (sumAt < 0) return { passed: 0, failed: 1, ignored: 0, errors: otherwise };
  const sum = plain(lines[sumAt]!);
  const count = (what: string): number => Number(sum.match(`(\\d+) ${what}`)?.[1] ?? 0);
  const errorsAt = lines.findIndex((line) => /^ ERRORS\b/.test(plain(line)));
  const said = errorsAt < 0 ? [] : lines.slice(errorsAt, sumAt);
  lines.splice(errorsAt < 0 ? sumAt : errorsAt);
  const [passed, failed, ignored] = [count("passed"), count("failed"), count("ignored")];
  if (isSuccess || failed > 0) return { passed, failed, ignored, errors: said.join("\n") };
  return { passed, failed: 1, ignored, errors: otherwise };
}

function report(outcomes: readonly Outcome[], tookMs: number): number {
  const sumOf = (name: "passed" | "failed" | "ignored"): number =>
    outcomes.reduce((sum, outcome) => sum + outcome[name], 0);
  const failed = sumOf("failed");
  for (const { errors } of outcomes) if (errors !== "") console.log(`\n${errors}`);
  const verdict = failed === 0 ? "ok" : "FAILED";
  const counts = `${sumOf("passed")} passed | ${failed} failed | ${sumOf("ignored")} ignored`;
  if (EFFORT === "quick") {
    console.log(`\nLeft out, by name or with \`deno task test:all\`: ${LEFT_OUT.join(", ")}`);
  }
  console.log(`\n${verdict} | ${counts} (${Math.round(tookMs / 1000)}s)`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
