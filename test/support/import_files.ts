/**
 * Imports the test files that are its arguments, so that all of them are run in one isolate. Before the tests of each file
 * comes one that is ignored and says where they are from. A file that cannot be imported is a test that fails.
 */
import { pathToFileURL } from "node:url";

for (const file of Deno.args) {
  Deno.test({ name: `from ${file}`, ignore: true, fn: () => {} });
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    Deno.test(`${file} is imported`, () => {
      throw error;
    });
  }
}
