/**
 * `holdfast cancel ID...` and `holdfast retry ID...`: what a person does to tasks. The answer may be "no".
 */
import {
  type App,
  ID_HELP,
  type Program,
  type Session,
  withDesk,
  writeJson,
  writeLine,
  writeNote,
} from "../app.ts";
import type { ChangedBy } from "../../src/mod.ts";
import { byOption } from "../options.ts";
import type { Desk, TaskDocument } from "../queue_access.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT, NotFoundError } from "../exit.ts";

/** One thing to do to a task. */
interface Act {
  readonly name: string;
  readonly description: string;
  /** Does it; `isDone` is false when the task's status does not allow it. */
  run(desk: Desk, reference: string, who: ChangedBy): Promise<Answer>;
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
    run: async (desk, reference, who) => {
      const document = await desk.cancel(reference, who);
      return { isDone: document.cancelled, document };
    },
    yes: ({ id }) => `task ${id} is cancelled`,
    no: ({ id, status }) => `task ${id} is ${status} already`,
  },
  {
    name: "retry",
    description: "queue a failed or cancelled task again, with fresh attempts",
    run: async (desk, reference, who) => {
      const document = await desk.retry(reference, who);
      return { isDone: document.retried, document };
    },
    yes: ({ id }) => `task ${id} is queued again`,
    no: ({ id, status }) =>
      `task ${id} is ${status}: only a failed or cancelled task can be retried`,
  },
];

/** Adds the commands. Exit code 1: the status of a task does not allow it; 3: there is no such task; the others are done all the same. */
export function addByHandCommands(program: Program, app: App): void {
  for (const act of ACTS) {
    program.command(act.name)
      .description(act.description)
      .argument("<ids...>", ID_HELP)
      .addOption(byOption())
      .action((ids, { by }, command) =>
        app.run(command.optsWithGlobals(), (session) => performAll(session, act, { ids, by }))
      );
  }
}

/** One after the other: a problem with one does not keep the next from being done. */
function performAll(
  session: Session,
  act: Act,
  { ids: references, by }: { readonly ids: readonly string[]; readonly by?: string },
): Promise<number> {
  return withDesk(session, async (desk) => {
    const answers: Answer[] = [];
    let code: number = EXIT.done;
    for (const reference of references) {
      try {
        const answer = await act.run(desk, reference, { by });
        answers.push(answer);
        const { task } = answer.document;
        writeLine(session, answer.isDone ? act.yes(task) : act.no(task));
        if (!answer.isDone) code = Math.max(code, EXIT.no);
      } catch (thrown) {
        if (!(thrown instanceof NotFoundError) || references.length === 1) throw thrown;
        writeNote(session, `holdfast: ${thrown.message}`);
        code = EXIT.notFound;
      }
    }
    const [first] = answers;
    if (session.json && references.length === 1) writeJson(session, first!.document);
    else if (session.json) writeJson(session, { results: answers.map(({ document }) => document) });
    return code;
  });
}
