/**
 * What is published of the settings is what the program knows of them.
 */
import { assertEquals } from "@std/assert";
import { projectSchema } from "../../src/mod.ts";
import {
  CONFIGURATION_PAGE,
  formatted,
  PROJECT_SCHEMA,
  withSettings,
} from "../support/settings_pages.ts";

Deno.test("docs/holdfast.schema.json is up to date; deno task docs writes it anew", async () => {
  assertEquals(JSON.parse(await Deno.readTextFile(PROJECT_SCHEMA)), projectSchema());
});

Deno.test("the table of docs/configuration.md is up to date; deno task docs writes it anew", async () => {
  const page = (await Deno.readTextFile(CONFIGURATION_PAGE)).replaceAll("\r\n", "\n");
  assertEquals(page, await formatted(withSettings(page), "md"));
});
