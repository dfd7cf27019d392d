/**
 * Finding programs: which file a name stands for, without a shell and without starting anything.
 *
 * A name without a separator is looked up on the `PATH` only, never in the working directory, also on Windows.
 */
import { delimiter, extname, isAbsolute, join, resolve } from "node:path";
import { quotePath } from "../domain/errors.ts";

/** What is run before a script. */
export interface Interpreter {
  /** The first of these that is found. */
  readonly commands: readonly string[];
  /** What it is given before the script. */
  readonly args: readonly string[];
  /** What to do when none of them is there. */
  readonly advice?: string;
}

const isWindows = Deno.build.os === "windows";

const DENO_ENDINGS: readonly string[] = [".ts", ".mts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"];

/** Endings of files that only a shell can run. */
const SHELL_ENDINGS: readonly string[] = [".bat", ".cmd", ".ps1"];

/** Endings of files that Windows runs without a shell, in the order of its own search. */
const PROGRAM_ENDINGS: readonly string[] = [".com", ".exe"];

/** What runs `script`, a path: an interpreter, or nothing, when it is a program itself. */
export function interpreterOf(script: string): Interpreter | undefined {
  const ending = extname(script).toLowerCase();
  if (DENO_ENDINGS.includes(ending)) {
    const args = ["run", "--allow-all"];
    if (!Deno.build.standalone) return { commands: [Deno.execPath()], args };
    return { commands: ["deno"], args, advice: scriptAdvice(ending) };
  }
  if (ending !== ".py") return undefined;
  return {
    commands: isWindows ? ["py", "python", "python3"] : ["python3", "python"],
    // Unbuffered, so that its lines arrive while it runs; UTF-8 whatever the system's code page is.
    args: ["-u", "-X", "utf8"],
  };
}

/** What a compiled program says when it meets a script of Deno's and there is no Deno. */
export function scriptAdvice(ending: string): string {
  return `a compiled program cannot run ${ending} files itself: install Deno, or name the program in the module's command`;
}

/**
 * The absolute path of the first of `commands` that is there; `advice` stands in the message when none is.
 *
 * @throws TypeError when none is, or only one that a shell would have to run.
 */
export async function findProgram(
  commands: readonly string[],
  folder: string,
  advice?: string,
): Promise<string> {
  const files: string[] = [];
  for (const command of commands) {
    const file = await firstFile(candidates(command, folder));
    if (file === undefined) continue;
    if (!needsShell(file)) return file;
    files.push(file);
  }
  if (files.length > 0) return checkShellLess(files[0]!);
  const names = commands.map((command) => quotePath(command)).join(", ");
  const which = commands.length === 1 ? names : `any of ${names}`;
  const place = commands.some(hasSeparator) ? "there or on the PATH" : "on the PATH";
  const rest = advice === undefined ? "" : `; ${advice}`;
  throw new TypeError(`Cannot run ${which}: there is no such program ${place}${rest}`);
}

/** @throws TypeError when `path` is not a file; `what` names it. */
export async function checkFile(path: string, what: string): Promise<string> {
  if ((await look(path))?.isFile) return path;
  throw new TypeError(`Cannot run ${what} ${quotePath(path)}: there is no such file`);
}

/** @throws TypeError when `path` is not a folder. */
export async function checkFolder(path: string): Promise<string> {
  if ((await look(path))?.isDirectory) return path;
  throw new TypeError(`Cannot work in ${quotePath(path)}: there is no such folder`);
}

/** @throws TypeError when only a shell can run `file`. */
export function checkShellLess(file: string): string {
  if (!needsShell(file)) return file;
  throw new TypeError(
    `Cannot run ${quotePath(file)}: a ${
      endingOf(file)
    } file is run by a shell, which nothing may pass through`,
  );
}

function needsShell(file: string): boolean {
  return SHELL_ENDINGS.includes(endingOf(file));
}

/** The ending of a name; Windows passes over blanks and dots at its end. */
function endingOf(file: string): string {
  return extname(file.replace(/[. ]+$/, "")).toLowerCase();
}

function hasSeparator(command: string): boolean {
  return /[\\/]/.test(command) || isAbsolute(command);
}

/** The files that `command` may stand for, in order. */
function candidates(command: string, folder: string): string[] {
  if (hasSeparator(command)) {
    const path = resolve(folder, command);
    return isWindows ? [path, ...windowsCandidates([path])] : [path];
  }
  const folders = searchFolders(Deno.env.get("PATH") ?? "");
  const paths = folders.map((path) => join(path, command));
  return isWindows ? windowsCandidates(paths) : paths;
}

/** The folders of a `PATH`. On Windows one may stand in quotation marks. */
function searchFolders(path: string): string[] {
  const folders = path.split(delimiter);
  const plain = isWindows ? folders.map((folder) => folder.replace(/^"(.*)"$/, "$1")) : folders;
  return plain.filter((folder) => isAbsolute(folder));
}

/**
 * The files that one of `paths` may stand for on Windows; first those that need no shell, so that a script of the same name
 * in an earlier folder hides no program.
 *
 * A name that has the ending of a program is taken as it is, any other gets one: `npm` beside `npm.cmd` is a shell's script,
 * which Windows cannot start.
 */
export function windowsCandidates(paths: readonly string[]): string[] {
  const named = (endings: readonly string[]): string[] =>
    paths.flatMap((path) =>
      endings.includes(endingOf(path)) ? [path] : endings.map((ending) => path + ending)
    );
  return [...named(PROGRAM_ENDINGS), ...named(SHELL_ENDINGS)];
}

async function firstFile(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (isProgram(await look(path), isWindows)) return path;
  return undefined;
}

/** Whether a file is there and can be executed by any user; Windows goes by the name alone, its files have no such bits. */
export function isProgram(
  found: Pick<Deno.FileInfo, "isFile" | "mode"> | undefined,
  byName: boolean,
): boolean {
  if (found === undefined || !found.isFile) return false;
  return byName || found.mode === null || (found.mode & 0o111) !== 0;
}

async function look(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return isWindows && !(error instanceof Deno.errors.NotFound)
      ? await lookAtAlias(path)
      : undefined;
  }
}

/** An alias of a program from the Microsoft Store can be started, but not opened, so only the link itself can be seen. */
async function lookAtAlias(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch {
    return undefined;
  }
}
