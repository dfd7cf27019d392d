/**
 * Process trees: ends a process with everything that it started.
 *
 * On Linux and macOS the tree is the process, its group, and what descends from either; each gets SIGTERM, and SIGKILL
 * when it is still there after the grace time. A process that has left the group and whose parent is gone cannot be found
 * any more. On Windows it is what `taskkill /T` finds, ended at once.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startChild } from "./child_process.ts";

/** How long a tree has from SIGTERM until SIGKILL, in milliseconds. */
const TERM_GRACE_MS = 500;

/** How long to wait until what was killed is gone, in milliseconds. */
const KILL_WAIT_MS = 1000;

/** How long to wait between two looks, in milliseconds: at first, and at most; it doubles each time. */
const LOOK_INTERVAL_MS = Object.freeze({ first: 10, most: 80 });

/** A process, as the system's table shows it. */
interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Tells it from a later process with the same number. */
  readonly start: string;
}

/** Ends the tree of `pid`, the leader of its own group where there are groups. Resolves when it is gone, or after the bound. */
export async function endTree(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  if (Deno.build.os === "windows") return await taskkill(pid);
  const tree = new UnixTree(pid);
  await tree.signal("SIGTERM");
  if (await tree.isGoneWithin(TERM_GRACE_MS)) return;
  // What has started since the last look gets the signal at the next.
  const untilMs = performance.now() + KILL_WAIT_MS;
  while ((await tree.signal("SIGKILL")).length > 0 && performance.now() < untilMs) {
    await tree.isGoneWithin(untilMs - performance.now());
  }
}

/** Ends at once what is left of the group of `pid`, which has ended itself. Windows has no groups. */
export function endGroup(pid: number | undefined): void {
  if (Deno.build.os !== "windows" && pid !== undefined) kill(-pid, "SIGKILL");
}

async function taskkill(pid: number): Promise<void> {
  const folder = Deno.env.get("SystemRoot") ?? "C:\\Windows";
  const killer = startChild(join(folder, "System32", "taskkill.exe"), {
    args: ["/PID", String(pid), "/T", "/F"],
    environment: null,
    stdin: "null",
    output: "null",
    outlives: true,
  });
  await killer.exitCode;
}

/** The tree of a process: once seen, a member stays one, also when its parent is gone. */
class UnixTree {
  readonly #pid: number;
  /** The start of each member. */
  readonly #members = new Map<number, string>();

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Sends a signal to the members that live at the moment, and gives them. */
  async signal(name: "SIGTERM" | "SIGKILL"): Promise<ProcessRow[]> {
    const members = await this.look();
    if (members.length > 0) kill(-this.#pid, name);
    for (const { pid, group } of members) if (group !== this.#pid) kill(pid, name);
    return members;
  }

  /** Whether no member is left, after at most `withinMs`. Looks at the known members until these are gone, then at all. */
  async isGoneWithin(withinMs: number): Promise<boolean> {
    const untilMs = performance.now() + withinMs;
    let intervalMs: number = LOOK_INTERVAL_MS.first;
    while (await this.#isAnyKnownAlive() || (await this.look()).length > 0) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(intervalMs, leftMs)));
      intervalMs = Math.min(2 * intervalMs, LOOK_INTERVAL_MS.most);
    }
    return true;
  }

  /** Many trees that end at the same time must not read the whole table again and again. */
  async #isAnyKnownAlive(): Promise<boolean> {
    const rows = await processRows([...this.#members.keys()]);
    return rows.some(({ pid, start }) => this.#members.get(pid) === start);
  }

  /** The members that live at the moment. */
  async look(): Promise<ProcessRow[]> {
    const rows = await processTable();
    let found: ProcessRow[] = [];
    for (let known = -1; known !== found.length;) {
      known = found.length;
      found = rows.filter((row) => this.#isMember(row));
      for (const { pid, start } of found) this.#members.set(pid, start);
    }
    return found;
  }

  #isMember({ pid, parent, group, start }: ProcessRow): boolean {
    return pid === this.#pid || group === this.#pid || this.#members.get(pid) === start ||
      this.#members.has(parent);
  }
}

/** Sends a signal. What is gone already, or runs as another user, gets none. */
function kill(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (!(error instanceof NotFound || error instanceof PermissionDenied)) throw error;
  }
}

/** Every process that lives, without those that are dead and only not waited for. */
function processTable(): Promise<ProcessRow[]> {
  return rowsOf(() => readdirSync("/proc").filter((name) => /^\d+$/.test(name)));
}

/** Those of these processes that live; where the system has no /proc, every process. */
function processRows(pids: readonly number[]): Promise<ProcessRow[]> {
  return rowsOf(() => pids.map(String));
}

async function rowsOf(names: () => readonly string[]): Promise<ProcessRow[]> {
  if (Deno.build.os !== "linux") return await psTable();
  try {
    // At once: a read takes a few microseconds, a turn through another thread many times that.
    return names().map(linuxRow).filter((row) => row !== undefined);
  } catch (error) {
    // Deno refuses to read /proc without full permissions.
    if (error instanceof Deno.errors.NotCapable) return await psTable();
    throw error;
  }
}

function linuxRow(name: string): ProcessRow | undefined {
  try {
    return rowOfStat(readFileSync(`/proc/${name}/stat`, "utf8"));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined; // It has ended since the folder was listed.
  }
}

/** A line of `/proc/<pid>/stat`: the name in brackets may contain anything, so what follows it is read from its end. */
function rowOfStat(text: string): ProcessRow | undefined {
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  const [state, parent, group] = fields;
  if (state === "Z" || state === "X") return undefined;
  return { pid: parseInt(text), parent: Number(parent), group: Number(group), start: fields[19]! };
}

async function psTable(): Promise<ProcessRow[]> {
  const command = new Deno.Command("/bin/ps", {
    args: ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="],
    env: { LC_ALL: "C" },
    stdin: "null",
    stderr: "null",
  });
  const { stdout } = await command.output();
  return rowsOfPs(new TextDecoder().decode(stdout));
}

/** The output of `ps -A -o pid=,ppid=,pgid=,stat=,lstart=`. */
export function rowsOfPs(text: string): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const line of text.split("\n")) {
    const [pid, parent, group, state, ...start] = line.trim().split(/\s+/);
    if (state === undefined || state.startsWith("Z")) continue;
    const numbers = { pid: Number(pid), parent: Number(parent), group: Number(group) };
    rows.push({ ...numbers, start: start.join(" ") });
  }
  return rows;
}
