/**
 * SQLite looks at the value of a bound parameter for `LIMIT ?`, and wherever a partial index is in question; such a statement
 * is planned anew at each call, which costs ten times what running it costs. A `+` before the parameter hides its value and
 * changes nothing else (see `bench/NOTES.md`).
 */
import { assert, assertEquals } from "@std/assert";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { countScenario, SCENARIOS } from "./scenarios.ts";

Deno.test("no statement of a task's life is planned anew at each call", async () => {
  const statements = new Set<string>();
  for (const scenario of Object.values(SCENARIOS)) {
    await countScenario(scenario, (run) => {
      for (const sql of run) if (/^\s*SELECT/i.test(sql)) statements.add(sql);
    });
  }
  assertEquals([...statements].filter(isPlannedAnew), []);
  assert([...statements].some(namesPartialIndex), `${statements.size} statements, none of claims`);
});

function isPlannedAnew(sql: string): boolean {
  if (/LIMIT \?/i.test(sql)) return true;
  return namesPartialIndex(sql) && /[=<>(] ?\?/.test(sql);
}

function namesPartialIndex(sql: string): boolean {
  return PARTIAL_INDEXES.some((name) => new RegExp(`INDEXED BY ${name}\\b`).test(sql));
}

const PARTIAL_INDEXES = QUEUE_SCHEMA.migrations.join(";").split(";").flatMap((statement) => {
  const [, name] = /CREATE INDEX (\w+)[\s\S]*\bWHERE\b/.exec(statement) ?? [];
  return name === undefined ? [] : [name];
});
