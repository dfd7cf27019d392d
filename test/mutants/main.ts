/**
 * The mutation check: `deno task mutants [--only=REGEXP]`. Each mutant is made in a copy of the tree in a temporary folder
 * and the tests run there until one fails. Exits with 1 when a mutant survives, when the text that a mutant replaces is not
 * found exactly once, or when the unchanged copy does not pass.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Effort } from "../support/effort.ts";
import { TEST_PERMISSIONS } from "../support/permissions.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS, SUITE } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the tests of `SUITE` and of the mutants read. */
const COPIED = [
  "src",
  "server",
  "dashboard",
  "client",
  "test",
  "examples",
  "deno.json",
  "deno.lock",
];

/** How long all tests may take on the unchanged tree. */
const BASELINE_LIMIT_MS = 1_800_000;

/** Tests that take longer than all of them on the unchanged tree, and at least so long, hang: that is caught too. */
const HANG_MIN_MS = 120_000;

/** How a mutant ended: the test that failed, or `undefined` when none did. */
interface Verdict {
  readonly mutant: Mutant;
  readonly caughtBy: string | undefined;
}

const only = Deno.args.find((argument) => argument.startsWith("--only="))?.slice("--only=".length);
Deno.exitCode = await main(MUTANTS.filter(({ name }) => new RegExp(only ?? "").test(name)));

async function main(mutants: readonly Mutant[]): Promise<number> {
  if (mutants.length === 0) {
    console.error(`No mutant's name matches ${only}`);
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "holdfast mutants " });
  try {
    for (const name of COPIED) await copy(join(ROOT, name), join(folder, name));
    await checkTexts(folder, mutants);
    const startedAtMs = performance.now();
    const failed = await firstFailure(folder, testsOf(mutants), { limitMs: BASELINE_LIMIT_MS });
    if (failed !== undefined) throw new Error(`the unchanged tree does not pass: ${failed}`);
    const baselineMs = performance.now() - startedAtMs;
    console.log(`the unchanged tree passes in ${Math.round(baselineMs / 1000)} s`);
    return report(await tryAll(folder, mutants, Math.max(HANG_MIN_MS, baselineMs)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every test that may be said to have caught one of `mutants`. */
function testsOf(mutants: readonly Mutant[]): string[] {
  return [...new Set([...SUITE, ...mutants.flatMap(({ tests }) => tests)])];
}

async function tryAll(
  folder: string,
  mutants: readonly Mutant[],
  limitMs: number,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const mutant of mutants) {
    const startedAtMs = performance.now();
    const caughtBy = await withMutant(folder, mutant, async () => {
      return await firstFailure(folder, mutant.tests, { limitMs, effort: "quick" }) ??
        await firstFailure(folder, mutant.tests, { limitMs }) ??
        await firstFailure(folder, SUITE, { limitMs });
    });
    verdicts.push({ mutant, caughtBy });
    const seconds = Math.round((performance.now() - startedAtMs) / 1000);
    const outcome = caughtBy === undefined ? "SURVIVED" : `caught by ${caughtBy}`;
    console.log(`${verdicts.length}/${mutants.length} ${mutant.name}: ${outcome} (${seconds} s)`);
  }
  return verdicts;
}

/** The exit code. */
function report(verdicts: readonly Verdict[]): number {
  const survivors = verdicts.filter(({ caughtBy }) => caughtBy === undefined);
  console.log("\n| mutant | caught by |\n| --- | --- |");
  for (const { mutant, caughtBy } of verdicts) {
    console.log(`| ${mutant.name} | ${caughtBy ?? "**nothing**"} |`);
  }
  console.log(`\n${verdicts.length - survivors.length} of ${verdicts.length} mutants were caught`);
  return survivors.length === 0 ? 0 : 1;
}

/** Every text is checked before anything runs, so that a refactoring is noticed at once. */
async function checkTexts(folder: string, mutants: readonly Mutant[]): Promise<void> {
  const wrong: string[] = [];
  for (const { name, file, find } of mutants) {
    const code = await Deno.readTextFile(join(folder, file)).catch(() => "");
    const count = code.split(find).length - 1;
    if (count !== 1) {
      wrong.push(`${name}: found ${count} times in ${file}: ${JSON.stringify(find)}`);
    }
  }
  if (wrong.length > 0) {
    throw new Error(`A mutant's text must stand in its file exactly once\n${wrong.join("\n")}`);
  }
}

async function withMutant<T>(
  folder: string,
  { file, find, replace }: Mutant,
  act: () => Promise<T>,
): Promise<T> {
  const path = join(folder, file);
  const code = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, code.replace(find, () => replace));
  try {
    return await act();
  } finally {
    await Deno.writeTextFile(path, code);
  }
}

/** The first test that fails, as `file: name`; `undefined` when all pass. Small numbers find most mutants, and soon. */
async function firstFailure(
  folder: string,
  tests: readonly string[],
  { limitMs, effort = "all" }: { readonly limitMs: number; readonly effort?: Effort },
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(limitMs);
  const command = new Deno.Command(Deno.execPath(), {
    cwd: folder,
    args: [
      "test",
      "--quiet",
      "--no-check",
      "--frozen",
      "--cached-only",
      "--fail-fast",
      "--reporter=tap",
      ...TEST_PERMISSIONS,
      ...tests,
    ],
    env: { NO_COLOR: "1", HOLDFAST_EFFORT: effort },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: limit,
  });
  const { success, stdout, stderr } = await command.output();
  if (success) return undefined;
  const output = new TextDecoder().decode(stdout);
  if (limit.aborted) return `no end within ${Math.round(limitMs / 1000)} s, ${lastTest(output)}`;
  if (!/^(not )?ok /m.test(output)) {
    throw new Error(`no test ran\n${new TextDecoder().decode(stderr)}`);
  }
  const whatElse = new TextDecoder().decode(stderr).trim().slice(-1000);
  return failedTest(output) ?? `an error outside of any test, ${lastTest(output)}: ${whatElse}`;
}

/** The failed test in a TAP report: its name, and the file under which it stands. */
function failedTest(report: string): string | undefined {
  let file = "";
  for (const line of report.split("\n")) {
    file = /^# (\S+\.ts)$/.exec(line)?.[1] ?? file;
    const name = /^not ok \d+ - (.*)$/.exec(line)?.[1];
    if (name !== undefined) return `${file.replace(/^\.\//, "")}: ${name}`;
  }
  return undefined;
}

/** Where a run that was ended from outside had come to. */
function lastTest(report: string): string {
  const passed = [...report.matchAll(/^ok \d+ - (.*)$/gm)].at(-1)?.[1];
  return passed === undefined ? "before any test" : `after: ${passed}`;
}

async function copy(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(from, to);
    return;
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}
