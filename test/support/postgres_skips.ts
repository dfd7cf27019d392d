/**
 * The tests of the server, the command line and the orchestrator that have no meaning for a queue on PostgreSQL, each with its reason.
 */

/** What they need. */
const FILES = "is about the queue's files";
const REPAIR = "the server repairs and restores its own files";
const MEMORY = "the database holds the tasks, not this process's memory";
const CHECKPOINT = "the server makes its own checkpoints";

/** Reasons by the names of tests. */
export const SKIPS: ReadonlyMap<string, string> = new Map([
  ["backup, restore and check work together, and nothing is overwritten", REPAIR],
  ["check ends with 4 on a damaged queue, and repair and restore bring back the rest", REPAIR],
  [
    "the line that repair prints restores this queue, and no other, also with blanks in its path",
    REPAIR,
  ],
  ["restore ends with 4 when there is no such backup", REPAIR],
  ["a command that only looks ends with 4 where there is no queue, and makes none", FILES],
  ["a file that is not a queue ends with 4, and is left alone", FILES],
  ["long work says what it does on a terminal, and leaves an empty line", CHECKPOINT],
  [
    "prune and checkpoint are done behind the server, and leave the files of this machine alone",
    CHECKPOINT,
  ],
  [
    "commands that work on files refuse --url, and HOLDFAST_URL unless --db names the files",
    CHECKPOINT,
  ],
  ["checkpoint makes the snapshot readable for any SQLite tool", CHECKPOINT],
  ["backend ends with 1 when the environment is wrong, or its queue cannot be opened", FILES],
  ["run --memory-max refuses with 4 what does not fit, and names the limit", MEMORY],
  ["worker --log-max, HOLDFAST_LOG_MAX_BYTES and log_max_bytes bound the log of a task", FILES],
  ["logs -f goes on where a log that was rotated begins anew", "the database rotates no logs"],
]);
