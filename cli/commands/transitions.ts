/**
 * `holdfast transitions ID`: everything that happened to a task, in order.
 */
import type { TaskTransition } from "../../src/mod.ts";
import {
  type App,
  findTask,
  ID_HELP,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeTable,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { durationText, printable } from "../task_text.ts";

/** Adds the command. */
export function addTransitionsCommand(program: Program, app: App): void {
  program.command("transitions")
    .description("show everything that happened to a task, in order")
    .argument("<id>", ID_HELP)
    .action((id, _options, command) =>
      app.run(command.optsWithGlobals(), (session) => transitions(session, id))
    );
}

function transitions(session: Session, reference: string): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const { id, runId } = await findTask(queue, reference);
    const steps = await queue.transitions(id);
    const document: DocumentOf<"TransitionList"> = {
      task_id: id,
      run_id: runId,
      transitions: steps.map(transitionJson),
    };
    if (session.json) writeJson(session, document);
    writeTransitions(session, steps);
    return EXIT.done;
  });
}

/** A transition as JSON. */
export function transitionJson(
  step: TaskTransition,
): DocumentOf<"TransitionList">["transitions"][number] {
  return {
    at: step.at.toISOString(),
    level: step.level,
    kind: step.kind,
    worker: step.worker,
    attempt: step.attempt,
    error: step.error,
    delay_ms: step.delayMs,
    duration_ms: step.durationMs,
  };
}

/** Answers with a table of transitions, for people. */
export function writeTransitions(session: Session, steps: readonly TaskTransition[]): void {
  writeTable(session, {
    head: ["at", "what", "attempt", "worker", "took", "why"],
    rows: steps.map(transitionRow),
    statusColumns: ["what"],
  });
}

function transitionRow(step: TaskTransition): string[] {
  const { at, kind, attempt, worker, durationMs, delayMs, error } = step;
  const next = delayMs === null ? "" : `again after ${durationText(delayMs)}`;
  return [
    at.toISOString(),
    kind,
    attempt === null ? "" : String(attempt),
    printable(worker ?? ""),
    durationMs === null ? "" : durationText(durationMs),
    printable([error ?? "", next].filter((part) => part !== "").join("; ")),
  ];
}
