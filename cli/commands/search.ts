/**
 * `holdfast search`: the tasks that a text names, or that have it in them.
 */
import { Option } from "@commander-js/extra-typings";
import {
  SEARCH_LIMITS,
  type SearchRequest,
  TASK_STATUSES,
  type TaskStatus,
} from "../../src/mod.ts";
import {
  type App,
  type Program,
  type Session,
  withDeskToRead,
  writeJson,
  writeNote,
  writeTable,
} from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";
import { duration, integerFrom } from "../options.ts";
import { type Progress, startProgress } from "../progress.ts";
import type { Desk } from "../queue_access.ts";
import { TASK_COLUMNS, taskRow } from "../task_text.ts";

interface SearchOptions {
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly group?: string;
  readonly tag?: string;
  readonly olderThan?: number;
  readonly limit: number;
  readonly cursor?: string;
  readonly all?: true;
}

/** How long one answer is waited for, in milliseconds. */
const BUDGET_MS = 1000;

const { limitDefault, limitMax } = SEARCH_LIMITS;

/** Adds the command. */
export function addSearchCommand(program: Program, app: App): void {
  program.command("search <text>")
    .description("find tasks by an id, a key, a run id, a group, a tag, or a text in them")
    .addOption(new Option("--status <status>", "only these").choices(TASK_STATUSES))
    .option("--type <type>", "only tasks of this type")
    .option("--group <group>", "only tasks of this group")
    .option("--tag <tag>", "only tasks with this tag")
    .option("--older-than <duration>", "only those stored longer ago: 30d, 12h, 5m", duration)
    .option(
      "--limit <n>",
      `how many at most, 1 to ${limitMax}`,
      integerFrom(1, limitMax),
      limitDefault,
    )
    .option("--cursor <cursor>", "go on where the answer before says at its end")
    .option("--all", `go on until so many are found, or all is searched; else for ${BUDGET_MS} ms`)
    .action((text, options, command) =>
      app.run(command.optsWithGlobals(), (session) => search(session, text, options))
    );
}

function search(session: Session, text: string, options: SearchOptions): Promise<number> {
  const { status, type, group, tag, olderThan, limit, cursor } = options;
  const createdBefore = olderThan === undefined ? undefined : new Date(Date.now() - olderThan);
  const filter = { status, type, group, tag, createdBefore };
  const request = { text, filter, limit, cursor, budgetMs: BUDGET_MS };
  return withDeskToRead(session, async (desk) => {
    const document = options.all
      ? await searchOn(session, desk, request)
      : await desk.search(request);
    const { tasks, searched, left_max: left } = document;
    if (session.json) writeJson(session, document);
    if (tasks.length > 0) writeTable(session, { head: TASK_COLUMNS, rows: tasks.map(taskRow) });
    if (tasks.length === 0) writeNote(session, "no tasks");
    if (document.cursor !== null) {
      const far = `searched ${searched} of ${searched + left} tasks at most`;
      writeNote(session, `${far}; further: --cursor ${document.cursor}`);
    }
    return EXIT.done;
  });
}

/** Goes on until enough is found, or all is searched. */
async function searchOn(
  session: Session,
  desk: Desk,
  request: SearchRequest & { readonly limit: number },
): Promise<DocumentOf<"SearchPage">> {
  const tasks: DocumentOf<"SearchPage">["tasks"][number][] = [];
  let progress: Progress | undefined;
  let { cursor } = request;
  try {
    for (;;) {
      const page = await desk.search({ ...request, cursor, limit: request.limit - tasks.length });
      tasks.push(...page.tasks);
      if (page.cursor === null || tasks.length >= request.limit) return { ...page, tasks };
      cursor = page.cursor;
      progress ??= startProgress(session.io, {
        total: page.searched + page.left_max,
        unit: "searched",
      });
      progress.update(page.searched, `${tasks.length} found`);
    }
  } finally {
    progress?.stop();
  }
}
