/**
 * `holdfast cancel ID` and `holdfast retry ID`: what a person does to a task. The answer may be "no".
 */
import {
  type App,
  ID_HELP,
  type Program,
  type Session,
  withDesk,
  writeJson,
  writeLine,
} from "../app.ts";
import type { Desk, TaskDocument } from "../desk.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";

/** One thing to do to a task. */
interface Act {
  readonly name: string;
  readonly description: string;
  /** Does it; `isDone` is false when the task's status does not allow it. */
  run(desk: Desk, reference: string): Promise<Answer>;
  /** The answer for people. */
  yes(task: TaskDocument): string;
  no(task: TaskDocument): string;
}

interface Answer {
  readonly isDone: boolean;
  readonly document: DocumentOf<"Cancelled" | "Retried">;
}

const ACTS: readonly Act[] = [
  {
    name: "cancel",
    description: "cancel a task that is queued or running",
    run: async (desk, reference) => {
      const document = await desk.cancel(reference);
      return { isDone: document.cancelled, document };
    },
    yes: ({ id }) => `task ${id} is cancelled`,
    no: ({ id, status }) => `task ${id} is ${status} already`,
  },
  {
    name: "retry",
    description: "queue a failed or cancelled task again, with fresh attempts",
    run: async (desk, reference) => {
      const document = await desk.retry(reference);
      return { isDone: document.retried, document };
    },
    yes: ({ id }) => `task ${id} is queued again`,
    no: ({ id, status }) =>
      `task ${id} is ${status}: only a failed or cancelled task can be retried`,
  },
];

/** Adds the commands. Exit code 1: the task's status does not allow it. */
export function addByHandCommands(program: Program, app: App): void {
  for (const act of ACTS) {
    program.command(act.name)
      .description(act.description)
      .argument("<id>", ID_HELP)
      .action((id, _options, command) =>
        app.run(command.optsWithGlobals(), (session) => perform(session, act, id))
      );
  }
}

function perform(session: Session, act: Act, reference: string): Promise<number> {
  return withDesk(session, async (desk) => {
    const { isDone, document } = await act.run(desk, reference);
    if (session.json) writeJson(session, document);
    writeLine(session, isDone ? act.yes(document.task) : act.no(document.task));
    return isDone ? EXIT.done : EXIT.no;
  });
}
