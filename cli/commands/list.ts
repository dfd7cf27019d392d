/**
 * `holdfast list`: tasks, newest first.
 */
import { Option } from "@commander-js/extra-typings";
import { TASK_LIMITS, TASK_STATUSES, type TaskStatus } from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeNote,
  writeTable,
} from "../app.ts";
import { EXIT } from "../exit.ts";
import { integerFrom } from "../options.ts";
import { TASK_COLUMNS, taskRow } from "../task_text.ts";

interface ListOptions {
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly group?: string;
  readonly tag?: string;
  readonly limit: number;
  readonly cursor?: number;
}

/** Adds the command. */
export function addListCommand(program: Program, app: App): void {
  program.command("list")
    .description("list tasks, newest first")
    .addOption(new Option("--status <status>", "only these").choices(TASK_STATUSES))
    .option("--type <type>", "only tasks of this type")
    .option("--group <group>", "only tasks of this group")
    .option("--tag <tag>", "only tasks with this tag")
    .option(
      "--limit <n>",
      `how many at most, 1 to ${TASK_LIMITS.listMax}`,
      integerFrom(1, TASK_LIMITS.listMax),
      TASK_LIMITS.listDefault,
    )
    .option(
      "--cursor <id>",
      "only tasks older than this one, as the page before says at its end",
      integerFrom(1, Number.MAX_SAFE_INTEGER),
    )
    .action((options, command) =>
      app.run(command.optsWithGlobals(), (session) => list(session, options))
    );
}

function list(session: Session, options: ListOptions): Promise<number> {
  return withDeskToRead(session, async (desk) => {
    const document = await desk.list(options);
    const { tasks, total, next_cursor } = document;
    if (session.json) writeJson(session, document);
    if (tasks.length > 0) writeTable(session, { head: TASK_COLUMNS, rows: tasks.map(taskRow) });
    if (next_cursor !== null) {
      const count = `${tasks.length} of ${total} tasks`;
      writeNote(session, `${count}; the next ones: --cursor ${next_cursor}`);
    }
    if (tasks.length === 0) writeNote(session, "no tasks");
    return EXIT.done;
  });
}
