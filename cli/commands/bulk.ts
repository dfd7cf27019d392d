/**
 * `holdfast bulk cancel|retry|remove|reschedule|set-priority`: one change for all tasks that match, in small transactions.
 */
import { Option } from "@commander-js/extra-typings";
import {
  BULK_LIMITS,
  BULK_STATUSES,
  type BulkAction,
  type BulkRequest,
  TASK_LIMITS,
  type TaskStatus,
} from "../../src/mod.ts";
import { type App, type Program, type Session, withDesk, writeJson, writeLine } from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT, UsageError } from "../exit.ts";
import { byOption, duration, instant, integerFrom, someOption } from "../options.ts";
import { type Progress, startProgress } from "../progress.ts";
import type { Desk } from "../queue_access.ts";
import { changedField, dueOptions } from "../task_options.ts";

/** What the options gave. */
interface BulkOptions {
  readonly status?: readonly TaskStatus[];
  readonly type?: string;
  readonly group?: string;
  readonly tag?: string;
  readonly ids?: readonly number[];
  readonly olderThan?: number;
  readonly finishedBefore?: Date;
  readonly error?: string;
  readonly minAttempts?: number;
  readonly all?: true;
  readonly dryRun?: true;
  readonly by?: string;
  readonly priority?: number;
  readonly runAfter?: Date;
  readonly now?: true;
}

/** One of the commands. */
interface Bulk {
  readonly name: string;
  readonly action: BulkAction;
  readonly description: string;
  /** What was done to a task, for people. */
  readonly done: string;
  readonly options?: () => Option[];
}

const BULKS: readonly Bulk[] = [
  {
    name: "cancel",
    action: "cancel",
    description: "cancel all tasks that match, of those that are queued or running",
    done: "cancelled",
  },
  {
    name: "retry",
    action: "retry",
    description: "queue all tasks that match again, of those that failed or were cancelled",
    done: "queued again",
  },
  {
    name: "remove",
    action: "remove",
    description: "delete all tasks that match for good, of those that are finished",
    done: "deleted",
  },
  {
    name: "reschedule",
    action: "reschedule",
    description: "make all queued tasks that match due at another time",
    done: "rescheduled",
    options: dueOptions,
  },
  {
    name: "set-priority",
    action: "set_priority",
    description: "give all queued tasks that match another priority",
    done: "changed",
    options: () => [changedField("priority").makeOptionMandatory()],
  },
];

/** Adds the commands. */
export function addBulkCommands(program: Program, app: App): void {
  const group = program.command("bulk")
    .description("one change for all tasks that match, in small transactions");
  for (const bulk of BULKS) {
    const command = group.command(bulk.name).description(bulk.description);
    for (const option of [...filterOptions(bulk), ...bulk.options?.() ?? []]) {
      command.addOption(option);
    }
    command.action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => perform(session, bulk, options))
    );
  }
}

function filterOptions({ action }: Bulk): Option[] {
  const statuses = BULK_STATUSES[action];
  const status = statuses.length === 1
    ? []
    : [someOption("--status <status...>", "only these", statuses) as Option];
  return [
    ...status,
    new Option("--type <type>", "only tasks of this type"),
    new Option("--group <group>", "only tasks of this group"),
    new Option("--tag <tag>", "only tasks with this tag"),
    new Option("--ids <id...>", "only these task ids").argParser(readId),
    new Option("--older-than <duration>", "only those stored longer ago: 30d, 12h, 5m")
      .argParser(duration),
    new Option("--finished-before <instant>", "only those that had ended then").argParser(instant),
    new Option("--error <text>", "only those whose last error has this in it, in any case"),
    new Option("--min-attempts <n>", "only those that have begun so often, or more often")
      .argParser(integerFrom(0, TASK_LIMITS.maxAttemptsMax)),
    new Option("--all", "every task: needed where nothing above is given"),
    new Option("--dry-run", `count them, up to ${BULK_LIMITS.countMax}, and change nothing`),
    byOption() as Option,
  ];
}

function readId(text: string, previous: readonly number[] = []): readonly number[] {
  return [...previous, integerFrom(0, Number.MAX_SAFE_INTEGER)(text)];
}

function requestOf({ action }: Bulk, options: BulkOptions): BulkRequest {
  const { status, type, group, tag, ids, olderThan, finishedBefore, error, minAttempts } = options;
  const createdBefore = olderThan === undefined ? undefined : new Date(Date.now() - olderThan);
  const filter = { statuses: status, type, group, tag, ids, createdBefore, finishedBefore };
  const { all, dryRun, by, priority, runAfter, now } = options;
  const whole = { ...filter, errorContains: error, attemptsMin: minAttempts };
  if (!all && Object.values(whole).every((value) => value === undefined)) {
    throw new UsageError(`--all is needed for every task; otherwise an option that says which`);
  }
  return {
    ...{ action, all, dryRun, by, priority, runAfter },
    delayMs: now ? 0 : undefined,
    filter: whole,
  };
}

async function perform(session: Session, bulk: Bulk, options: BulkOptions): Promise<number> {
  const request = requestOf(bulk, options);
  return await withDesk(session, async (desk) => {
    const document = await doAll(session, desk, request);
    if (session.json) writeJson(session, document);
    const { matched, changed, is_dry_run: isDryRun, is_more: isMore } = document;
    const found = `${matched}${isMore ? "+" : ""} match`;
    writeLine(session, isDryRun ? found : `${found}, ${changed} ${bulk.done}`);
    return EXIT.done;
  });
}

/** Goes on until all is done; a dry run, until it has counted enough. */
async function doAll(
  session: Session,
  desk: Desk,
  request: BulkRequest,
): Promise<DocumentOf<"BulkDone">> {
  let progress: Progress | undefined;
  let cursor: string | undefined;
  let [matched, changed] = [0, 0];
  const isDryRun = request.dryRun ?? false;
  try {
    for (;;) {
      const report = await desk.bulk({ ...request, cursor });
      matched += report.matched;
      changed += report.changed;
      const isEnough = isDryRun && matched >= BULK_LIMITS.countMax;
      if (report.cursor === null || isEnough) {
        const is_more = report.cursor !== null;
        return { action: request.action, matched, changed, is_dry_run: isDryRun, is_more };
      }
      cursor = report.cursor;
      progress ??= startProgress(session.io, { total: report.up_to_id, unit: "looked at" });
      progress.update(report.done_up_to_id, `${matched} match`);
    }
  } finally {
    progress?.stop();
  }
}
