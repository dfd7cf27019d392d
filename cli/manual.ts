/**
 * The manual: what each command teaches beside its options. Examples that work as they stand, what its exit codes mean,
 * and the document that it writes with `--json`.
 *
 * The help, the completions, `docs/cli.md` and the tests read it here. A test runs every example and checks every
 * document, so nothing in it can go stale.
 */
import type { Command } from "@commander-js/extra-typings";
import type { DocumentName } from "./documents.ts";

/** A command with any arguments and options, in the tree. */
// deno-lint-ignore no-explicit-any
export type AnyCommand = Command<any, any, any>;

/** One command line, and what it does. */
export interface Example {
  readonly does: string;
  /** What to type. */
  readonly line: string;
}

/** What a command teaches. */
export interface Page {
  readonly examples: readonly Example[];
  /** What this command means by its exit codes; those that all commands share are left out. */
  readonly exits?: Readonly<Record<number, string>>;
  /** What `--json` writes: a document, and others with the options that bring them about. None where it writes no JSON. */
  readonly documents: Readonly<Record<string, DocumentName>>;
}

/** The pages by the command's name; a subcommand's is both names. */
export const MANUAL: Readonly<Record<string, Page>> = Object.freeze({
  serve: {
    examples: [
      { does: "HTTP on a port of your choice", line: "holdfast serve --port 8788" },
      {
        does: "HTTP, and a worker beside it that keeps finished tasks for a week",
        line: "holdfast serve --handlers handlers.ts --retention 7d",
      },
      {
        does: "and the worker delivers webhooks, to one host; hooks.toml says the rest",
        line: "holdfast serve --config hooks.toml --webhook-allowed-hosts hooks.example.com",
      },
    ],
    exits: { 0: "it was interrupted and has stopped in order" },
    documents: { "": "Served" },
  },
  worker: {
    examples: [
      {
        does: "execute what there is, eight tasks at a time, and end",
        line: "holdfast worker --handlers handlers.ts --concurrency 8 --until-empty",
      },
      {
        does: "execute tasks until interrupted, with handlers.ts or what holdfast.toml says",
        line: "holdfast worker",
      },
      {
        does: "deliver webhooks, too",
        line:
          "holdfast worker --webhook-allowed-hosts hooks.example.com --webhook-secret-file webhook.secret --webhook-timeout-ms 5000",
      },
    ],
    exits: { 0: "nothing is left, or it was interrupted and has stopped in order" },
    documents: { "": "WorkerSummary" },
  },
  enqueue: {
    examples: [
      {
        does: "store a task; it is on disk when the command ends",
        line: `holdfast enqueue email --payload '{"to":"ann@example.com"}'`,
      },
      {
        does: "not before ten minutes from now, and only once however often this runs",
        line: "holdfast enqueue report --run-after +10m --key report-2026-01",
      },
      {
        does: "tell a URL if it fails for good",
        line:
          "holdfast enqueue report --webhook https://hooks.example.com/done --webhook-events failed",
      },
      {
        does: "four attempts, with pauses of 10 s, 30 s and 60 s",
        line:
          "holdfast enqueue report --max-attempts 4 --retry-delay 10s --retry-multiplier 3 --retry-max-delay 1m",
      },
      {
        does: "many at once, all or none: one JSON object per line",
        line: "holdfast enqueue --batch tasks.ndjson",
      },
    ],
    exits: { 1: "the idempotency key or the run id names a task with other content" },
    documents: { "": "Enqueued", "--batch": "EnqueuedBatch" },
  },
  run: {
    examples: [
      {
        does: "execute a task here, with its log and progress, and print its result",
        line: `holdfast run email --payload '{"to":"ann@example.com"}' --handlers handlers.ts`,
      },
      {
        does: "execute it, and have a worker tell a URL how it ended",
        line: "holdfast run email --handlers handlers.ts --webhook https://hooks.example.com/done",
      },
    ],
    exits: {
      1: "the task failed or was cancelled",
      130: "interrupted; the task stays in the queue",
    },
    documents: { "": "Task" },
  },
  list: {
    examples: [
      { does: "the newest tasks", line: "holdfast list" },
      { does: "what failed lately", line: "holdfast list --status failed --limit 5" },
      { does: "what can be found by a tag", line: "holdfast list --tag release-42" },
    ],
    documents: { "": "TaskList" },
  },
  search: {
    examples: [
      { does: "what its payload says", line: "holdfast search ann@example.com" },
      {
        does: "in the errors of one type, however long it takes",
        line: "holdfast search 'no data' --type report --status failed --all",
      },
    ],
    documents: { "": "SearchPage" },
  },
  show: {
    examples: [
      { does: "a task by its id", line: "holdfast show 1" },
      {
        does: "by its run id, with everything that happened to it",
        line: "holdfast show import-7 --history",
      },
    ],
    documents: { "": "Task", "--history": "TaskHistory" },
  },
  transitions: {
    examples: [{ does: "everything that happened to a task", line: "holdfast transitions 2" }],
    documents: { "": "TransitionList" },
  },
  cancel: {
    examples: [{ does: "wherever the task is", line: "holdfast cancel import-7" }],
    exits: { 1: "a task is over already" },
    documents: { "": "Cancelled", "with several ids": "CancelledEach" },
  },
  retry: {
    examples: [{ does: "a task that failed, with fresh attempts", line: "holdfast retry 2" }],
    exits: { 1: "a task has neither failed nor been cancelled" },
    documents: { "": "Retried", "with several ids": "RetriedEach" },
  },
  update: {
    examples: [
      { does: "before most others, and now", line: "holdfast update import-7 --priority 1 --now" },
      {
        does: "tomorrow, with more attempts",
        line: "holdfast update import-7 --run-after +1d --max-attempts 9 --by ops",
      },
    ],
    exits: { 1: "a worker holds the task, or it is final" },
    documents: { "": "Task" },
  },
  replace: {
    examples: [
      {
        does: "with a corrected payload; what waits for the task waits for the new one",
        line: `holdfast replace import-7 --payload '{"to":"bob@example.com"}'`,
      },
    ],
    exits: { 1: "a worker holds the task, or it has completed" },
    documents: { "": "Task" },
  },
  remove: {
    examples: [{ does: "a task, its transitions and its log", line: "holdfast remove 2" }],
    exits: { 1: "a worker holds the task, or tasks that are not final depend on it" },
    documents: { "": "Removed" },
  },
  "bulk cancel": {
    examples: [
      { does: "how many would it be?", line: "holdfast bulk cancel --type email --dry-run" },
      {
        does: "all that wait or run, with who did it",
        line: "holdfast bulk cancel --type email --by ops",
      },
    ],
    documents: { "": "BulkDone" },
  },
  "bulk retry": {
    examples: [
      { does: "what failed for one reason", line: "holdfast bulk retry --error 'no data'" },
      {
        does: "everything that failed, but nothing that was cancelled",
        line: "holdfast bulk retry --status failed",
      },
      { does: "what has a tag", line: "holdfast bulk retry --tag release-42" },
    ],
    documents: { "": "BulkDone" },
  },
  "bulk remove": {
    examples: [
      { does: "a group's finished tasks", line: "holdfast bulk remove --group acme" },
      { does: "everything that is finished", line: "holdfast bulk remove --all" },
    ],
    documents: { "": "BulkDone" },
  },
  "bulk reschedule": {
    examples: [
      { does: "in two hours", line: "holdfast bulk reschedule --type email --run-after +2h" },
      { does: "now", line: "holdfast bulk reschedule --group acme --now" },
    ],
    documents: { "": "BulkDone" },
  },
  "bulk set-priority": {
    examples: [
      {
        does: "behind everything else",
        line: "holdfast bulk set-priority --type report --priority 1000",
      },
    ],
    documents: { "": "BulkDone" },
  },
  explain: {
    examples: [{ does: "why it does not run, or how it ended", line: "holdfast explain import-7" }],
    documents: { "": "Explanation" },
  },
  logs: {
    examples: [
      { does: "what the handler said", line: "holdfast logs 1" },
      { does: "and what it says, until it is over", line: "holdfast logs 1 --follow" },
    ],
    exits: { 130: "interrupted" },
    documents: { "": "Log" },
  },
  stats: {
    examples: [
      { does: "the queue in numbers", line: "holdfast stats" },
      { does: "a live screen: depth, rates, workers, failures", line: "holdfast stats --watch" },
    ],
    exits: { 130: "--watch was interrupted" },
    documents: { "": "Stats", "--watch, one a line": "StatsBlock" },
  },
  workers: {
    examples: [{ does: "the workers of this queue", line: "holdfast workers" }],
    documents: { "": "WorkerList" },
  },
  health: {
    examples: [{ does: "for a monitor: the exit code says it", line: "holdfast health --json" }],
    exits: { 1: "the queue is unhealthy" },
    documents: { "": "Health" },
  },
  "limit list": {
    examples: [{ does: "who holds the slots, what waits behind", line: "holdfast limit list" }],
    documents: { "": "LimitList" },
  },
  "limit set": {
    examples: [
      {
        does: "no more than five tasks of this type at the same time, in all processes",
        line: "holdfast limit set --type email --concurrency 5",
      },
      { does: "of any type", line: "holdfast limit set --concurrency 100" },
      {
        does: "never more than 100 starts of a type in any minute, at most 5 at once",
        line: "holdfast limit set --type email --rate 100/1m --burst 5",
      },
    ],
    documents: { "": "LimitChanged" },
  },
  "limit remove": {
    examples: [{ does: "as many as the workers can", line: "holdfast limit remove --type email" }],
    documents: { "": "LimitChanged" },
  },
  pause: {
    examples: [
      {
        does: "no task of this type starts until it is resumed",
        line: "holdfast pause --type email --reason 'provider down' --by ops",
      },
      { does: "nothing starts for half an hour", line: "holdfast pause --for 30m" },
    ],
    documents: { "": "LimitChanged" },
  },
  resume: {
    examples: [{ does: "tasks of this type start again", line: "holdfast resume --type email" }],
    documents: { "": "LimitChanged" },
  },
  "schedule list": {
    examples: [{ does: "what comes, and when", line: "holdfast schedule list" }],
    documents: { "": "ScheduleList" },
  },
  "schedule add": {
    examples: [
      {
        does: "every night at half past two where you are",
        line: "holdfast schedule add nightly report --cron '30 2 * * *' --time-zone Europe/Berlin",
      },
      {
        does: "five minutes after each has ended",
        line: "holdfast schedule add sync sync --every 5m",
      },
      {
        does: "every hour, and tell a URL when one of them fails for good",
        line:
          "holdfast schedule add check check --cron @hourly --webhook https://hooks.example.com/done --webhook-events failed",
      },
    ],
    exits: { 1: "there is another schedule with this id, and --replace was not given" },
    documents: { "": "ScheduleAdded" },
  },
  "schedule remove": {
    examples: [{ does: "its tasks stay", line: "holdfast schedule remove hourly" }],
    exits: { 3: "there is no such schedule" },
    documents: { "": "ScheduleRemoved" },
  },
  "schedule pause": {
    examples: [{ does: "until you resume it", line: "holdfast schedule pause hourly" }],
    documents: { "": "Schedule" },
  },
  "schedule resume": {
    examples: [{ does: "with its next instant", line: "holdfast schedule resume hourly" }],
    documents: { "": "Schedule" },
  },
  prune: {
    examples: [
      {
        does: "what finished a month ago, but keep the last 1000",
        line: "holdfast prune --older-than 30d --keep 1000",
      },
    ],
    documents: { "": "Pruned" },
  },
  checkpoint: {
    examples: [
      { does: "before you read queue.db with another SQLite tool", line: "holdfast checkpoint" },
    ],
    documents: { "": "Checkpointed" },
  },
  backup: {
    examples: [
      { does: "while the queue is in use", line: "holdfast backup backups/monday.db" },
    ],
    exits: { 4: "the file is there already, or could not be written and verified" },
    documents: { "": "BackedUp" },
  },
  restore: {
    examples: [
      { does: "stop workers and servers first", line: "holdfast restore queue.bak" },
    ],
    exits: { 4: "the queue is open somewhere, or the backup is damaged" },
    documents: { "": "Restored" },
  },
  check: {
    examples: [{ does: "read every file anew", line: "holdfast check" }],
    exits: { 4: "the queue is damaged" },
    documents: { "": "Checked" },
  },
  repair: {
    examples: [
      { does: "save what can be saved", line: "holdfast repair --output salvaged.db" },
    ],
    exits: { 4: "nothing could be salvaged, or the queue is open somewhere" },
    documents: { "": "Repaired" },
  },
  migrate: {
    examples: [
      { does: "look before you leap", line: "holdfast migrate --dry-run" },
      { does: "with the rights of the schema's owner", line: "holdfast migrate" },
    ],
    exits: { 4: "the database cannot be reached, or the tables cannot be made" },
    documents: { "": "Migrated" },
  },
  move: {
    examples: [
      {
        does: "everything into a new queue; an address of PostgreSQL is given in the same way",
        line: "holdfast move --from data/queue.db --to data/new.db",
      },
    ],
    exits: {
      1: "it cannot be moved, or tasks are still leased: the message says how to go on",
      4: "one of the queues cannot be reached or used; the same command goes on",
    },
    documents: { "": "Moved" },
  },
  "token create": {
    examples: [
      {
        does: "one that may look and enqueue; its line is for `serve --tokens`",
        line: "holdfast token create ci --scopes read enqueue",
      },
    ],
    documents: { "": "NewToken" },
  },
  import: {
    examples: [
      { does: "look before you leap", line: "holdfast import python-queue.db --dry-run" },
      {
        does: "the tasks of the Python system; a second time adds nothing",
        line: "holdfast import python-queue.db",
      },
    ],
    exits: {
      1: "rows are no tasks, or do not go together with the queue; nothing was imported",
      4: "the file is damaged, of another kind, or has a write-ahead log that was not folded in",
    },
    documents: { "": "Imported" },
  },
  export: {
    examples: [
      {
        does: "a rollback: the Python system goes on with this file",
        line: "holdfast export --format original --output back.db",
      },
      {
        does: "a task a line, every field; without --status also the schedules",
        line:
          "holdfast export --format ndjson --output tasks-of-today.ndjson --status queued failed",
      },
    ],
    exits: { 1: "tasks are leased: stop the workers first", 4: "the file is there already" },
    documents: { "": "Exported" },
  },
  config: {
    examples: [
      { does: "what is in force in this folder, and why", line: "holdfast config" },
      { does: "with another project's file", line: "holdfast config --config hooks.toml" },
    ],
    documents: { "": "Config" },
  },
  backend: {
    examples: [{ does: "what is active, and what to type", line: "holdfast backend" }],
    exits: { 1: "the environment is wrong, or the queue that it asks for cannot be opened" },
    documents: { "": "Backend" },
  },
  version: {
    examples: [{ does: "also: holdfast --version", line: "holdfast version" }],
    documents: { "": "Version" },
  },
  completions: {
    examples: [
      { does: "for this session of bash", line: "holdfast completions bash" },
      {
        does:
          "for PowerShell: put this into $PROFILE, and | Out-String | Invoke-Expression behind it",
        line: "holdfast completions powershell",
      },
    ],
    documents: {},
  },
});

/** The name of a command as one types it after `holdfast`. */
export function commandName(command: AnyCommand): string {
  const parent: AnyCommand | null = command.parent;
  if (parent === null || parent.parent === null) return command.name();
  return `${commandName(parent)} ${command.name()}`;
}

/** Every command below `command`, in the order of the help. */
export function commandsOf(command: AnyCommand): AnyCommand[] {
  return command.commands.flatMap((each: AnyCommand) => [each, ...commandsOf(each)]);
}

/** Adds the manual's page to the help of every command. */
export function addManual(program: AnyCommand): void {
  for (const command of commandsOf(program)) {
    const page = MANUAL[commandName(command)];
    if (page !== undefined) command.addHelpText("after", `\n${pageText(page)}`);
  }
}

function pageText({ examples, exits = {} }: Page): string {
  const lines = examples.flatMap(({ does, line }) => [`  # ${does}`, `  ${line}`]);
  const codes = Object.entries(exits).map(([code, means]) => `  ${code}  ${means}`);
  return ["Examples:", ...lines, ...codes.length === 0 ? [] : ["", "Ends with:", ...codes]].join(
    "\n",
  );
}
