/**
 * Imports the test files that are its arguments, so that all of them are run in one isolate.
 */
import { pathToFileURL } from "node:url";

for (const file of Deno.args) await import(pathToFileURL(file).href);
