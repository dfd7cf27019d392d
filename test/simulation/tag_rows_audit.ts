/**
 * Looks at the rows of tags after each record: one for each tag of each stored task, and none else.
 */
import type { Reader } from "../../src/ledger/replica.ts";
import type { EventLog } from "./event_log.ts";

const SQL = {
  tagged: "SELECT id, tags FROM task_queue WHERE tags IS NOT NULL",
  rows: "SELECT task_id, tag FROM task_tags",
} as const;

/** Checks them all. */
export function checkTagRows(reader: Reader, log: EventLog): void {
  const wanted = new Set(
    reader.read(SQL.tagged).flatMap(([id, tags]) =>
      (JSON.parse(String(tags)) as string[]).map((tag) => JSON.stringify([id, tag]))
    ),
  );
  const found = new Set(reader.read(SQL.rows).map((row) => JSON.stringify(row)));
  if (found.size > 0) log.count("records with tags");
  for (const row of wanted.difference(found)) log.violate(`tag ${row} has no row`);
  for (const row of found.difference(wanted)) log.violate(`tag ${row} is of no task`);
}
