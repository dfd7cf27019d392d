/**
 * `holdfast schedule list|add|remove|pause|resume`: tasks that are enqueued by the clock, by whichever process has the queue
 * open.
 */
import { Option } from "@commander-js/extra-typings";
import {
  CATCH_UP_POLICIES,
  type CatchUpPolicy,
  checkNewSchedule,
  type NewSchedule,
  SCHEDULE_LIMITS,
  SCHEDULED_FIELD_NAMES,
} from "../../src/mod.ts";
import {
  type App,
  noteNextPage,
  type Program,
  type Session,
  withDesk,
  withDeskToRead,
  writeJson,
  writeLine,
} from "../app.ts";
import type { Desk, ScheduleQuery } from "../queue_access.ts";
import type { DocumentOf } from "../documents.ts";
import { checkedInput, EXIT, UsageError } from "../exit.ts";
import { duration, durationFrom, integerFrom, pageLimitOption } from "../options.ts";
import { durationText } from "../task_text.ts";
import { addTaskOptions, newTaskOf, type TaskOptions } from "../task_options.ts";

type AddOptions = TaskOptions & {
  readonly cron?: string;
  readonly timeZone?: string;
  readonly every?: number;
  readonly expiresIn?: number;
  readonly catchUp?: CatchUpPolicy;
  readonly catchUpMax?: number;
  readonly overlap?: true;
  readonly paused?: true;
  readonly replace?: true;
};

/** Adds the commands. Exit code 3: there is no such schedule. */
export function addScheduleCommands(program: Program, app: App): void {
  const schedule = program.command("schedule")
    .description("tasks that are enqueued by the clock");
  schedule.command("list")
    .description("the schedules by their ids, and when each comes next")
    .addOption(pageLimitOption())
    .option("--cursor <id>", "only schedules after this one, as the page before says at its end")
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => list(session, options))
    );
  const adding = schedule.command("add")
    .description("add a schedule; it fires while any process has the queue open, once for all")
    .argument("<id>", "its name")
    .argument("<type>", "the type of its tasks");
  addTaskOptions(adding, SCHEDULED_FIELD_NAMES)
    .option(
      "--cron <fields>",
      'minute hour day month weekday: "30 2 * * 1-5"; seconds may go first',
    )
    .option("--time-zone <zone>", "where --cron is read (default: UTC)")
    .option("--every <duration>", "that long after each task has ended: 30s, 5m, 2h", duration)
    .addOption(
      new Option("--catch-up <policy>", "what becomes of missed instants (default: once)")
        .choices(CATCH_UP_POLICIES),
    )
    .option(
      "--catch-up-max <n>",
      "how many missed instants --catch-up all makes up for",
      integerFrom(1, SCHEDULE_LIMITS.catchUpMax),
    )
    .option(
      "--expires-in <duration>",
      "each task is cancelled by itself if it has not started so long after its firing",
      durationFrom(1, SCHEDULE_LIMITS.expiresInMaxMs),
    )
    .option("--overlap", "enqueue also while the task before is not over")
    .option("--paused", "fire nothing until it is resumed")
    .option("--replace", "replace another schedule with this id")
    .action((id, type, options, command) =>
      app.run(command.optsWithGlobals(), (session) => add(session, { id, type }, options))
    );
  schedule.command("remove")
    .description("remove a schedule; its tasks stay")
    .argument("<id>", "its name")
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => remove(session, id))
    );
  for (const [name, paused] of [["pause", true], ["resume", false]] as const) {
    schedule.command(name)
      .description(paused ? "let a schedule rest" : "let a paused schedule go on")
      .argument("<id>", "its name")
      .action((id, _options, command) =>
        app.run(command.optsWithGlobals(), (session) => pause(session, id, paused))
      );
  }
}

function list(session: Session, query: ScheduleQuery): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.schedules(query);
    const { schedules } = document;
    if (session.json) writeJson(session, document);
    for (const schedule of schedules) writeLine(session, describe(schedule));
    noteNextPage(session, document.next_cursor);
    if (schedules.length === 0) writeLine(session, "there are no schedules");
    return EXIT.done;
  });
}

async function add(
  session: Session,
  { id, type }: { readonly id: string; readonly type: string },
  options: AddOptions,
): Promise<number> {
  const { cron, timeZone, every, expiresIn, catchUp, catchUpMax, overlap, paused, ...others } =
    options;
  const { replace, ...ofTasks } = others;
  if ((cron === undefined) === (every === undefined)) {
    throw new UsageError("exactly one of --cron and --every is needed");
  }
  const wanted: NewSchedule = {
    ...await newTaskOf(session, type, ofTasks),
    ...{
      id,
      cron,
      timeZone,
      everyMs: every,
      expiresInMs: expiresIn,
      catchUp,
      catchUpMax,
      overlap,
      paused,
    },
  };
  await checkedInput(() => checkNewSchedule(wanted)); // before a mistyped --db makes a queue
  const addIt = async (desk: Desk): Promise<number> => {
    const document = await desk.addSchedule(wanted, replace ?? false);
    if (session.json) writeJson(session, document);
    writeLine(session, describe(document.schedule));
    return EXIT.done;
  };
  return await withDesk(session, addIt, { mayMake: true });
}

function remove(session: Session, id: string): Promise<number> {
  return withDesk(session, async (desk) => {
    const document = await desk.removeSchedule(id);
    if (session.json) writeJson(session, document);
    writeLine(session, `schedule ${JSON.stringify(id)} is removed`);
    return EXIT.done;
  });
}

function pause(session: Session, id: string, paused: boolean): Promise<number> {
  return withDesk(session, async (desk) => {
    const schedule = await desk.pauseSchedule(id, paused);
    if (session.json) writeJson(session, schedule);
    writeLine(session, describe(schedule));
    return EXIT.done;
  });
}

/** One line for people. */
function describe(schedule: DocumentOf<"Schedule">): string {
  const { id, type, cron, time_zone, every_ms, firings } = schedule;
  const when = cron === null
    ? `every ${durationText(every_ms ?? 0)}`
    : `at ${cron} in ${time_zone}`;
  const next = schedule.paused
    ? "paused"
    : schedule.waits_for_task_id !== null
    ? `waits for task ${schedule.waits_for_task_id}`
    : schedule.next_at === null
    ? "never comes again"
    : `next ${schedule.next_at}`;
  return `${id}: ${type} ${when}, ${next}, fired ${firings} times`;
}
