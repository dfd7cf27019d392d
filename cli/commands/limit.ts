/**
 * `holdfast limit set|list|remove`, `holdfast pause` and `holdfast resume`: how many tasks run at the same time, how often they
 * start, and whether any may start.
 */
import { Option } from "@commander-js/extra-typings";
import { FLOW_LIMITS, type Limit, type RateLimit, scopeText } from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDesk,
  withDeskToRead,
  writeJson,
  writeLine,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT, UsageError } from "../exit.ts";
import {
  byOption,
  duration,
  instant,
  integerFrom,
  numberFrom,
  periodText,
  rate,
} from "../options.ts";
import { printable } from "../task_text.ts";

type LimitRecord = DocumentOf<"LimitList">["limits"][number];

interface ScopeOptions {
  readonly type?: string;
  readonly group?: string;
}

interface ByOptions extends ScopeOptions {
  readonly by?: string;
}

interface SetOptions extends ByOptions {
  readonly concurrency?: number;
  readonly rate?: RateLimit;
  readonly burst?: number;
  readonly weight?: number;
}

interface PauseOptions extends ByOptions {
  readonly reason?: string;
  readonly until?: Date;
  readonly for?: number;
}

/** Adds the commands. */
export function addLimitCommands(program: Program, app: App): void {
  const limit = program.command("limit")
    .description("how many tasks run at the same time, and how often they start");
  limit.command("list")
    .description("the limits and pauses, who holds the slots and what waits behind them")
    .action((_options, command) => app.run(command.optsWithGlobals(), list));
  limit.command("set")
    .description("let at most so many tasks run at the same time, or start in a period")
    .addOption(typeOption())
    .addOption(groupOption())
    .option(
      "--concurrency <n>",
      `how many may run, 1 to ${FLOW_LIMITS.concurrencyMax}`,
      integerFrom(1, FLOW_LIMITS.concurrencyMax),
    )
    .option(
      "--rate <limit/period>",
      "never more starts in any window of the period: 100/1m, 5/1s, 1000/1d",
      rate,
    )
    .option(
      "--burst <n>",
      "of a rate: how many may start at once, 1 to its limit (default: 100 ms of the rate)",
      integerFrom(1, FLOW_LIMITS.rateMax),
    )
    .option(
      "--weight <n>",
      `of a group: its starts for each one of another, ${FLOW_LIMITS.weightMin} to ${FLOW_LIMITS.weightMax}`,
      numberFrom(FLOW_LIMITS.weightMin, FLOW_LIMITS.weightMax),
    )
    .addOption(byOption())
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => set(session, options, limitOf(options)))
    );
  limit.command("remove")
    .description("remove the limit of a type, of a group, or of the whole queue")
    .addOption(typeOption())
    .addOption(groupOption())
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => set(session, options, null))
    );
  program.command("pause")
    .description("let no task start, of a type, of a group, or at all; what runs goes on")
    .addOption(typeOption())
    .addOption(groupOption())
    .option("--reason <text>", "why, for `holdfast explain` and others who look")
    .addOption(byOption())
    .option("--until <instant>", "when it ends by itself (default: when it is resumed)", instant)
    .option("--for <duration>", "how long it lasts, instead of --until: 30m, 2h", duration)
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => pause(session, options))
    );
  program.command("resume")
    .description("end a pause of a type, of a group, or of the whole queue")
    .addOption(typeOption())
    .addOption(groupOption())
    .addOption(byOption())
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => resume(session, options))
    );
}

function typeOption(): Option<"--type <type>", undefined, undefined, string> {
  return new Option("--type <type>", "only tasks of this type (default: the whole queue)");
}

function groupOption(): Option<"--group <group>", undefined, undefined, string> {
  return new Option("--group <group>", "only tasks of this group, * for each by itself");
}

/** @throws UsageError when the options give no limit. */
function limitOf({ concurrency, rate, burst, weight }: SetOptions): Limit {
  if (burst !== undefined && rate === undefined) {
    throw new UsageError("--burst is for a --rate, which is missing");
  }
  if (concurrency === undefined && rate === undefined && weight === undefined) {
    throw new UsageError("--concurrency, --rate or --weight is needed");
  }
  return { concurrency, rate: rate && { ...rate, burst }, weight };
}

function list(session: Session): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.limits();
    if (session.json) writeJson(session, document);
    for (const limit of document.limits) writeLine(session, describe(limit));
    if (document.limits.length === 0) writeLine(session, "there are no limits and no pauses");
    return EXIT.done;
  });
}

function set(
  session: Session,
  { type, group, by }: ByOptions,
  limit: Limit | null,
): Promise<number> {
  return withDesk(session, async (desk) => {
    const document = await desk.setLimit({ type, group }, limit, { by });
    if (session.json) writeJson(session, document);
    writeLine(
      session,
      `${printable(scopeText({ type, group }))} has ${limitText(limit)}${already(document)}`,
    );
    return EXIT.done;
  });
}

async function pause(
  session: Session,
  { type, group, until, for: forMs, ...options }: PauseOptions,
): Promise<number> {
  if (until !== undefined && forMs !== undefined) {
    throw new UsageError("at most one of --until and --for is allowed");
  }
  const end = forMs === undefined ? until : new Date(Date.now() + forMs);
  return await withDesk(session, async (desk) => {
    const document = await desk.pause({ type, group }, { ...options, until: end });
    if (session.json) writeJson(session, document);
    const lasts = end === undefined ? "until it is resumed" : `until ${end.toISOString()}`;
    writeLine(
      session,
      `${printable(scopeText({ type, group }))} is paused ${lasts}${already(document)}`,
    );
    return EXIT.done;
  });
}

function resume(session: Session, { type, group, by }: ByOptions): Promise<number> {
  return withDesk(session, async (desk) => {
    const document = await desk.resume({ type, group }, { by });
    if (session.json) writeJson(session, document);
    const was = document.changed ? "is resumed" : "was not paused";
    writeLine(session, `${printable(scopeText({ type, group }))} ${was}`);
    return EXIT.done;
  });
}

function already({ changed }: DocumentOf<"LimitChanged">): string {
  return changed ? "" : ", as before";
}

function limitText(limit: Limit | null): string {
  const { concurrency, rate, weight } = limit ?? {};
  const parts = [
    ...(concurrency === undefined ? [] : [`a limit of ${concurrency}`]),
    ...(rate === undefined ? [] : [`a rate of ${rateText(rate.limit, rate.periodMs)}`]),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
  ];
  return parts.length === 0 ? "no limit" : parts.join(" and ");
}

/** A rate as `--rate` takes it. */
function rateText(limit: number, periodMs: number): string {
  return `${limit}/${periodText(periodMs)}`;
}

/** One line for people. */
function describe(record: LimitRecord): string {
  const { concurrency, rate, next_start_at, weight, set_by, paused, held, holders, blocked } =
    record;
  const limit = concurrency === null
    ? `${held} running`
    : `${held} of ${concurrency} ${record.group === "*" ? "slots each " : "slots "}held${
      set_by === null ? "" : ` (limit by ${set_by})`
    }`;
  const named = holders.slice(0, 3).map(({ task_id, worker_id }) => `${task_id} (${worker_id})`);
  const who = named.length === 0
    ? ""
    : `, by ${named.join(", ")}${held > named.length ? ` and ${held - named.length} more` : ""}`;
  const rest = paused === null
    ? ""
    : `, paused since ${paused.at}${paused.by === null ? "" : ` by ${paused.by}`}${
      paused.reason === null ? "" : ` (${paused.reason})`
    } until ${paused.until ?? "it is resumed"}`;
  const starts = rate === null
    ? ""
    : `, ${rateText(rate.limit, rate.period_ms)} may start (burst ${rate.burst}${
      next_start_at === null ? "" : `, next at ${next_start_at}`
    })`;
  const share = weight === null ? "" : `, weight ${weight}`;
  const more = `${starts}${share}${who}${rest}`;
  return printable(`${scopeText(record)}: ${limit}${more}, ${blocked} due behind it`);
}
