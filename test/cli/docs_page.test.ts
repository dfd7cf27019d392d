/**
 * `docs/cli.md` is what the command line says of itself.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { DOCUMENTS } from "../../cli/documents.ts";
import { MANUAL } from "../../cli/manual.ts";
import { CLI_PAGE, formattedCliPage } from "../support/cli_page.ts";

Deno.test("docs/cli.md is up to date; deno task docs writes it anew", async () => {
  const page = (await Deno.readTextFile(CLI_PAGE)).replaceAll("\r\n", "\n");
  assertEquals(page, await formattedCliPage());
});

Deno.test("docs/cli.md has a heading for every command and every document", async () => {
  const page = (await Deno.readTextFile(CLI_PAGE)).replaceAll("\r\n", "\n");
  for (const name of [...Object.keys(MANUAL), ...Object.keys(DOCUMENTS)]) {
    assertStringIncludes(page, `\n### ${name}\n`);
  }
});
