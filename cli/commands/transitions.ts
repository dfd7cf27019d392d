/**
 * `holdfast transitions ID`: everything that happened to a task, in order.
 */
import {
  type App,
  ID_HELP,
  noteNextPage,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeTable,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import type { TransitionQuery } from "../queue_access.ts";
import { EXIT } from "../exit.ts";
import { integerFrom, pageLimitOption } from "../options.ts";
import { durationText, printable } from "../task_text.ts";

type Transition = DocumentOf<"TransitionList">["transitions"][number];

/** Adds the command. */
export function addTransitionsCommand(program: Program, app: App): void {
  program.command("transitions")
    .description("show everything that happened to a task, in order")
    .argument("<id>", ID_HELP)
    .addOption(pageLimitOption())
    .option(
      "--cursor <n>",
      "go on where the page before ended, as it says at its end",
      integerFrom(1, Number.MAX_SAFE_INTEGER),
    )
    .action((id, options, command) =>
      app.run(command.optsWithGlobals(), (session) => transitions(session, id, options))
    );
}

function transitions(
  session: Session,
  reference: string,
  query: TransitionQuery,
): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.transitions(reference, query);
    if (session.json) writeJson(session, document);
    writeTransitions(session, document.transitions);
    noteNextPage(session, document.next_cursor);
    return EXIT.done;
  });
}

/** Answers with a table of transitions, for people. */
export function writeTransitions(session: Session, steps: readonly Transition[]): void {
  writeTable(session, {
    head: ["at", "what", "attempt", "worker", "took", "why"],
    rows: steps.map(transitionRow),
    statusColumns: ["what"],
  });
}

function transitionRow(step: Transition): string[] {
  const { at, kind, attempt, worker } = step;
  return [
    at,
    kind,
    attempt === null ? "" : String(attempt),
    printable(worker ?? ""),
    step.duration_ms === null ? "" : durationText(step.duration_ms),
    printable(reasonsOf(step).join("; ")),
  ];
}

function reasonsOf(step: Transition): string[] {
  const { error, delay_ms, by, changes, caused_by, enqueued_count, enqueued_runs } = step;
  const reasons = error === null ? [] : [error];
  if (by !== null) reasons.push(`by ${by}`);
  for (const [name, { from, to }] of Object.entries(changes ?? {})) {
    reasons.push(`${name} ${from ?? "none"} → ${to ?? "none"}`);
  }
  if (delay_ms !== null) reasons.push(`again after ${durationText(delay_ms)}`);
  if (caused_by !== null) reasons.push(`by run ${caused_by}`);
  if (enqueued_count !== null) {
    const more = enqueued_count > enqueued_runs.length ? ", …" : "";
    reasons.push(`enqueued ${enqueued_count}: ${enqueued_runs.join(", ")}${more}`);
  }
  return reasons;
}
