/**
 * `holdfast update ID`, `holdfast replace ID` and `holdfast remove ID`: what a person changes of a task.
 */
import { Option } from "@commander-js/extra-typings";
import type { TaskUpdate } from "../../src/mod.ts";
import {
  type App,
  ID_HELP,
  type Program,
  type Session,
  withDesk,
  writeJson,
  writeLine,
} from "../app.ts";
import { EXIT, UsageError } from "../exit.ts";
import { byOption } from "../options.ts";
import { changedField, dueOptions, payloadOptions, readPayload } from "../task_options.ts";
import { printable } from "../task_text.ts";

interface UpdateOptions {
  readonly priority?: number;
  readonly runAfter?: Date;
  readonly now?: true;
  readonly maxAttempts?: number;
  /** `false` for none. */
  readonly group?: string | false;
  /** `false` for never. */
  readonly expiresAt?: Date | false;
  /** `false` for none. */
  readonly tag?: readonly string[] | false;
  readonly by?: string;
}

interface ReplaceOptions extends UpdateOptions {
  readonly payload?: string;
  readonly payloadFile?: string;
  readonly runId?: string;
}

/** Adds the commands. Exit code 1: a worker holds the task, or its status does not allow it. */
export function addChangeCommands(program: Program, app: App): void {
  const update = program.command("update")
    .description("change the priority, time, attempts, group or tags of a task that waits")
    .argument("<id>", ID_HELP);
  for (const option of updateOptions()) update.addOption(option);
  update.action((id, options, command) =>
    app.run(command.optsWithGlobals(), (session) => changeOne(session, id, options))
  );
  const replace = program.command("replace")
    .description("store another task with another payload in place of one that no worker holds")
    .argument("<id>", ID_HELP);
  for (const option of [...payloadOptions(), runIdOption(), ...updateOptions()]) {
    replace.addOption(option);
  }
  replace.action((id, options, command) =>
    app.run(command.optsWithGlobals(), (session) => replaceOne(session, id, options))
  );
  program.command("remove")
    .description("delete a task for good, with its log; a queued one is cancelled first")
    .argument("<id>", ID_HELP)
    .addOption(byOption())
    .action((id, { by }, command) =>
      app.run(command.optsWithGlobals(), (session) => removeOne(session, id, by))
    );
}

function runIdOption(): Option {
  return new Option("--run-id <id>", "the new task's run id (default: a random UUID)");
}

function updateOptions(): Option[] {
  return [
    changedField("priority"),
    ...dueOptions(),
    changedField("maxAttempts"),
    changedField("group"),
    new Option("--no-group", "nobody's"),
    changedField("expiresAt"),
    new Option("--no-expires-at", "it never expires"),
    changedField("tags"),
    new Option("--no-tag", "none of its tags; else those given are all that it has"),
    byOption(),
  ];
}

function updateOf(
  { priority, runAfter, now, maxAttempts, group, expiresAt, tag }: UpdateOptions,
): TaskUpdate {
  return {
    ...{ priority, runAfter, maxAttempts },
    delayMs: now ? 0 : undefined,
    group: group === false ? null : group,
    expiresAt: expiresAt === false ? null : expiresAt,
    tags: tag === false ? null : tag,
  };
}

function changeOne(session: Session, id: string, options: UpdateOptions): Promise<number> {
  return withDesk(session, async (desk) => {
    const task = await desk.update(id, updateOf(options), { by: options.by });
    if (session.json) writeJson(session, task);
    const { priority, run_after_utc: runAfter, max_attempts: attempts, group } = task;
    const rest = group === null ? "" : `, group ${printable(group)}`;
    writeLine(
      session,
      `task ${task.id}: priority ${priority}, not before ${runAfter}, ${attempts} attempts${rest}`,
    );
    return EXIT.done;
  });
}

async function replaceOne(
  session: Session,
  id: string,
  { runId, ...options }: ReplaceOptions,
): Promise<number> {
  const payload = await readPayload(session, options);
  if (payload === undefined) throw new UsageError("--payload or --payload-file is needed");
  return await withDesk(session, async (desk) => {
    const replacement = { payload, runId, ...updateOf(options) };
    const task = await desk.replace(id, replacement, { by: options.by });
    if (session.json) writeJson(session, task);
    writeLine(session, `task ${task.id} (${printable(task.run_id)}) takes its place`);
    return EXIT.done;
  });
}

function removeOne(session: Session, id: string, by: string | undefined): Promise<number> {
  return withDesk(session, async (desk) => {
    const document = await desk.remove(id, { by });
    if (session.json) writeJson(session, document);
    writeLine(session, `task ${document.task_id} is deleted`);
    return EXIT.done;
  });
}
