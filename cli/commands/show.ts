/**
 * `holdfast show ID`: everything about one task.
 */
import type { Task, TaskTransition } from "../../src/mod.ts";
import { taskJson } from "../../server/json.ts";
import {
  type App,
  findTask,
  ID_HELP,
  type Program,
  type Session,
  withExistingQueue,
  writeJson,
  writeLine,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { taskPage } from "../task_text.ts";
import { transitionJson, writeTransitions } from "./transitions.ts";

interface ShowOptions {
  readonly history?: true;
}

/** Adds the command. */
export function addShowCommand(program: Program, app: App): void {
  program.command("show")
    .description("show a task")
    .argument("<id>", ID_HELP)
    .option("--history", "and everything that happened to it, in order")
    .action((id, options, command) =>
      app.run(command.optsWithGlobals(), (session) => show(session, id, options))
    );
}

function show(session: Session, reference: string, options: ShowOptions): Promise<number> {
  return withExistingQueue(session, async (queue) => {
    const task = await findTask(queue, reference);
    const history = options.history ? await queue.transitions(task.id) : undefined;
    if (session.json) writeJson(session, showJson(task, history));
    writeLine(session, taskPage(task, session.style));
    if (history !== undefined) writeTransitions(session, history);
    return EXIT.done;
  });
}

function showJson(
  task: Task,
  history: readonly TaskTransition[] | undefined,
): DocumentOf<"Task" | "TaskHistory"> {
  if (history === undefined) return taskJson(task);
  return { task: taskJson(task), transitions: history.map(transitionJson) };
}
