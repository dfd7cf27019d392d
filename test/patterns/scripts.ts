/**
 * Scripts for tests, in a folder of their own that is removed afterwards, and whether processes live.
 */
import { dirname, join } from "node:path";
import { withTemporaryPath } from "../support/queues.ts";

/** Runs `test` in a folder (with blanks and an umlaut in its path) that holds these files. */
export async function withScripts(
  files: Readonly<Record<string, string>>,
  test: (folder: string) => Promise<void>,
): Promise<void> {
  await withTemporaryPath(async (path) => {
    const folder = await Deno.realPath(dirname(path));
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text, { mode: 0o755 });
    }
    await test(folder);
  });
}

/** Whether a process lives; one that is dead and only not waited for does not. */
async function isAlive(pid: number): Promise<boolean> {
  const [file, ...args] = Deno.build.os === "windows"
    ? ["tasklist", "/FI", `PID eq ${pid}`, "/NH", "/FO", "CSV"]
    : ["ps", "-o", "stat=", "-p", String(pid)];
  const { stdout } = await new Deno.Command(file!, { args, stderr: "null" }).output();
  // Where Windows is emulated, the list comes as UTF-16.
  const text = new TextDecoder().decode(stdout).replaceAll("\0", "").trim();
  return Deno.build.os === "windows" ? text.includes(`"${pid}"`) : /^[^Z]/.test(text);
}

/** Whether any of these processes lives. */
export async function isAnyAlive(pids: readonly number[]): Promise<boolean> {
  return (await Promise.all(pids.map(isAlive))).includes(true);
}

/**
 * A script that starts a child, which starts a grandchild, and one more in a session of its own where there are sessions.
 * Each says its process id in a line of the file `pids`, then lives on, whatever signal asks it to end.
 */
export const FAMILY: Readonly<Record<string, string>> = {
  "family.mjs": `
    const generation = Number(Deno.args[0] ?? 0);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => {});
    Deno.writeTextFileSync("pids", Deno.pid + "\\n", { append: true });
    const start = (next, detached) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-all", import.meta.filename, String(next)],
        stdin: "null", stdout: "inherit", stderr: "inherit", detached,
      }).spawn();
    if (generation < 2) start(generation + 1, false);
    if (generation === 1) start(2, Deno.build.os !== "windows");
    console.log("generation " + generation);
    setInterval(() => {}, 1000);
  `,
};

/** How many processes `family.mjs` becomes. */
export const FAMILY_SIZE = 4;

/** The process ids that a family has written so far. */
export async function familyPids(folder: string): Promise<number[]> {
  const text = await Deno.readTextFile(join(folder, "pids")).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map(Number);
}
