/**
 * The original system under test: Python's own SQLite makes and reads its databases.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programTest } from "../support/thorough.ts";

const SCRIPT = fileURLToPath(new URL("./original_system.py", import.meta.url));

/** A row of the original's `task_queue`, as far as a test says; the rest has the defaults of the columns. */
export type OriginalRow = Readonly<Record<string, string | number | null>>;

const PYTHON = ["python3", "python"].find((name) => {
  try {
    const args = ["-c", "import sqlite3; assert sqlite3.sqlite_version_info >= (3, 35)"];
    return new Deno.Command(name, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
});

if (PYTHON === undefined) {
  console.warn("test/transfer: there is no Python 3 with SQLite 3.35, so its tests are ignored");
}

/** A test that needs Python; without it the test is ignored, and a line says why. */
export function pythonTest(name: string, test: () => Promise<void>): void {
  programTest(name, test, { ignore: PYTHON === undefined });
}

/** Runs a command of the original system; gives what it prints. */
export async function original(
  args: readonly string[],
  input = "",
): Promise<string> {
  const process = new Deno.Command(PYTHON!, {
    args: ["-I", "-S", SCRIPT, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { PYTHONIOENCODING: "utf-8", PYTHONUTF8: "1" },
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(ignoreClosed);
  await writer.close().catch(ignoreClosed);
  const { success, stdout, stderr } = await process.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`original ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** A database of the original's with these rows. */
export async function originalDatabase(
  path: string,
  rows: readonly OriginalRow[],
  kind: "full" | "plain" = "full",
): Promise<string> {
  await original(["create", path, kind], JSON.stringify(rows));
  return path;
}

/** Runs `test` in a folder that is removed afterwards. */
export async function inFolder(
  test: (path: (name: string) => string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast transfer ü " });
  try {
    await test((name) => join(folder, name));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A command that reads no input may be gone before it is offered some. */
function ignoreClosed(error: unknown): void {
  if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
}
