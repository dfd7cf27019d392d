/**
 * What to type to switch the back end and to go back, in the words of a shell.
 */
import { isDatabaseAddress } from "../src/mod.ts";
import { posixQuoted, powershellQuoted } from "./shell_quoting.ts";

/** The shells that commands are given for. */
export const SHELLS = ["posix", "powershell"] as const;

/** `posix`: sh, bash, zsh. `powershell`: Windows PowerShell and PowerShell 7. */
export type Shell = typeof SHELLS[number];

/** Commands, one a line, in the order in which they are typed. */
export interface BackendCommands {
  /** Runs of the application go to the durable queue; then restart it. */
  readonly toQueue: readonly string[];
  /** Runs are kept in memory again; then restart it. */
  readonly toMemory: readonly string[];
  /** The Python system takes over what the queue holds; stop the workers first. */
  readonly toPython: readonly string[];
}

/** The commands for the queue at `path`. */
export function backendCommands(shell: Shell, path: string): BackendCommands {
  const { set, quote } = SYNTAX[shell];
  const exported = isDatabaseAddress(path)
    ? "data/queue-python.db"
    : `${path.replace(/\.db$/, "")}-python.db`;
  return {
    toQueue: [set("QUEUE_DB_PATH", path), set("TASK_BACKEND", "queue")],
    toMemory: [set("TASK_BACKEND", "in-memory")],
    toPython: [
      `holdfast export --db ${quote(path)} --format original --output ${quote(exported)}`,
      set("PRISMQ_QUEUE_DB_PATH", exported),
      set("QUEUE_DB_PATH", exported),
      set("USE_QUEUE_SYSTEM", "true"),
    ],
  };
}

interface Syntax {
  readonly quote: (text: string) => string;
  readonly set: (name: string, value: string) => string;
}

const SYNTAX: Readonly<Record<Shell, Syntax>> = Object.freeze({
  posix: {
    quote: posixQuoted,
    set: (name, value) => `export ${name}=${posixQuoted(value)}`,
  },
  powershell: {
    quote: powershellQuoted,
    set: (name, value) => `$env:${name} = ${powershellQuoted(value)}`,
  },
});
