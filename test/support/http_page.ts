/**
 * The table of a task's fields in `docs/http.md`, made from their own table. Run by itself, it writes the page.
 */
import { fileURLToPath } from "node:url";
import { schedulingFields } from "../../server/tasks/schemas.ts";
import {
  defaultText,
  helpText,
  rangeText,
  snakeName,
  TASK_FIELD_NAMES,
  TASK_FIELDS,
} from "../../src/mod.ts";
import { formatted } from "./settings_pages.ts";

/** Where the page is. */
export const HTTP_PAGE = fileURLToPath(new URL("../../docs/http.md", import.meta.url));

const TABLE = /(<!-- task fields -->\n)[\s\S]*?(<!-- \/task fields -->)/;

/** The page with the table as it should be, not yet formatted. */
export function withTaskFields(page: string): string {
  const names = TASK_FIELD_NAMES.filter((name) => snakeName(name) in schedulingFields);
  const table = ["| field | means |", "| --- | --- |", ...names.map(rowOf)].join("\n");
  return page.replace(TABLE, (_all, begin, end) => `${begin}\n${table}\n\n${end}`);
}

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

if (import.meta.main) {
  const page = (await Deno.readTextFile(HTTP_PAGE)).replaceAll("\r\n", "\n");
  await Deno.writeTextFile(HTTP_PAGE, await formatted(withTaskFields(page), "md"));
}
