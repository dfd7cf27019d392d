/**
 * Mutants of tags.
 */
import type { Mutant } from "./mutant.ts";

const EMBEDDED = ["test/ledger_queue/tags.test.ts"];
const POSTGRES = ["test/postgres_queue/tags.test.ts"];

/** Faults by which tasks would not be found by their tags, or by tags that they do not have. */
export const TAG_MUTANTS: readonly Mutant[] = [
  {
    name: "tags: two orders are two values",
    file: "src/queue_policy/tags.ts",
    find: "[...new Set(tags)].sort()",
    replace: "[...new Set(tags)]",
    tests: EMBEDDED,
  },
  {
    name: "tags: an update leaves the rows of those that went",
    file: "src/queue_policy/tags.ts",
    find: "removed: was.filter((tag) => !is.includes(tag)),",
    replace: "removed: is.length === 0 ? was : [],",
    tests: EMBEDDED,
  },
  {
    name: "tags: a task that is deleted leaves its rows",
    file: "src/ledger_queue/rows/task_row.ts",
    find: "  followTags(tx, id, { before: tags, after: null });\n",
    replace: "",
    tests: EMBEDDED,
  },
  {
    name: "tags: a prune does not read the tags of what goes",
    file: "src/ledger_queue/tasks/prune.ts",
    find: "tags: tags as string | null }",
    replace: "tags: null }",
    tests: EMBEDDED,
  },
  {
    name: "tags: bulk by ids asks for no tag",
    file: "src/queue_policy/bulk_request.ts",
    find: "(tag === null || tagsOfText(task.tags).includes(tag))",
    replace: "(tag === null || task.tags !== undefined)",
    tests: EMBEDDED,
  },
  {
    name: "PostgreSQL: an import stores no rows of tags",
    file: "src/postgres_queue/records/import_records.ts",
    find: "    work.addTags(rows[i]!);\n",
    replace: "",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: a task that is deleted leaves the rows of its tags",
    file: "src/postgres_queue/tasks/prune.ts",
    find: "  if (tags.length > 0) await",
    replace: "  if (tags.length < 0) await",
    tests: POSTGRES,
  },
  {
    name: "PostgreSQL: an enqueueing by itself stores no rows of tags",
    file: "src/postgres_queue/tasks/enqueue_new.ts",
    find: "tags !== null) ? ADD_TAGGED : ADD;",
    replace: 'tags === "") ? ADD_TAGGED : ADD;',
    tests: POSTGRES,
  },
];
