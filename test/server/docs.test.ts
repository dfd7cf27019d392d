/**
 * docs/http.md names every route with its scope, and every error with its status.
 */
import { assert, assertEquals } from "@std/assert";
import { ERROR_STATUSES } from "../../server/http/error_codes.ts";
import { HTTP_PAGE, withTaskFields } from "../support/http_page.ts";
import { formatted } from "../support/settings_pages.ts";
import { withApp } from "./fixture.ts";
import { documentOf } from "./openapi_document.ts";

Deno.test("docs/http.md names every route with its scope, and every error with its status", async () => {
  const page = await Deno.readTextFile(HTTP_PAGE);
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

Deno.test("docs/http.md says of every setting of a run what the table of the fields says", async () => {
  const page = (await Deno.readTextFile(HTTP_PAGE)).replaceAll("\r\n", "\n");
  assert(page.includes("| `ordering_key` "), "the table is not there");
  assertEquals(
    page,
    await formatted(withTaskFields(page), "md"),
    "`deno task docs` writes it anew",
  );
});
