/**
 * docs/http.md names every route with its scope, and every error with its status.
 */
import { assert, assertEquals } from "@std/assert";
import { ERROR_STATUSES } from "../../server/http/error_codes.ts";
import {
  defaultText,
  helpText,
  rangeText,
  snakeName,
  TASK_FIELD_NAMES,
  TASK_FIELDS,
} from "../../src/mod.ts";
import { schedulingFields } from "../../server/tasks/schemas.ts";
import { withApp } from "./fixture.ts";
import { documentOf } from "./openapi_document.ts";

Deno.test("docs/http.md names every route with its scope, and every error with its status", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/http.md", import.meta.url));
  const rows = page.split(/\r?\n/).filter((line) => line.startsWith("|"));
  await withApp(async ({ app }) => {
    const { operations } = await documentOf(app);
    for (const { method, path, security } of operations) {
      const isWorkers = path.startsWith("/api/worker/");
      const row = rows.find((line) =>
        line.startsWith(`| \`${isWorkers ? path : `${method} ${path}`}\``)
      );
      assert(row !== undefined, `${method} ${path} is missing`);
      if (!isWorkers) assertEquals(row.split("|")[2]!.trim(), security[0]!.bearer[0], path);
    }
  });
  for (const [code, status] of Object.entries(ERROR_STATUSES)) {
    const row = rows.find((line) =>
      line.startsWith(`| ${status} `) && line.includes(`\`${code}\``)
    );
    assert(row !== undefined, `${status} ${code} is missing`);
  }
});

/** What the page says of a field. */
function rowOf(name: keyof typeof TASK_FIELDS): string {
  const field = TASK_FIELDS[name];
  const range = field.kind === "object"
    ? `\`{${
      Object.entries(field.fields).map(([part, { isRequired }]) =>
        `${snakeName(part)}${isRequired ? "" : "?"}`
      ).join(", ")
    }}\``
    : rangeText(field);
  const means = [helpText(name, field), ...(range === undefined ? [] : [range])].join(", ");
  return `| \`${snakeName(name)}\` | ${means}; default ${defaultText(field)} |`;
}

Deno.test("docs/http.md says of every setting of a run what the table of the fields says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/http.md", import.meta.url));
  const table = page.split("**Settings of a run or task**")[1]!.split(/\r?\n\r?\n/)[1]!;
  const rows = table.split(/\r?\n/).slice(2).map((row) => row.replaceAll(/ +\|/g, " |"));
  const names = TASK_FIELD_NAMES.filter((name) => snakeName(name) in schedulingFields);
  assertEquals(rows, names.map(rowOf));
});
