/**
 * Every ✗ of the specification has its test: the table in `README.md` beside this file, against the tests that there are.
 */
import { assert } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TESTS = fileURLToPath(new URL(".", import.meta.url));

/** The test of a ✗ line. */
interface Mark {
  readonly file: string;
  /** How its name begins. */
  readonly name: string;
}

Deno.test("every ✗ of the specification has the test that README.md names", async () => {
  const marks = await listedMarks();
  assert(marks.length >= 20, `${marks.length} marks`);
  for (const { file, name } of marks) {
    const names = markedNames(await Deno.readTextFile(join(TESTS, "..", file)));
    assert(names.some((found) => found.startsWith(name)), `no test in ${file} begins with ${name}`);
  }
});

/** The rows of the table whose last cell begins with a ✗. */
async function listedMarks(): Promise<Mark[]> {
  const text = await Deno.readTextFile(join(TESTS, "README.md"));
  return text.split(/\r?\n/).flatMap((line) => {
    const [, file, name] = /\| `(test\/[^`]+)` *\| (✗ .*?) *\|$/.exec(line) ?? [];
    return file === undefined || name === undefined ? [] : [{ file, name }];
  });
}

/** The names of tests that begin with a ✗, as they stand in the code. */
function markedNames(code: string): string[] {
  return [...code.matchAll(/"(✗ (?:[^"\\]|\\.)*)"/g)].map(([, name]) => name!);
}
