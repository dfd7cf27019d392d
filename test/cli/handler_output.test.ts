/**
 * Handlers that print: standard output stays the command's own.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { holdfastProcess, Scratch } from "./cli_harness.ts";

const LOUD = `
import process from "node:process";
console.log("said while loading");
export function loud() {
  console.log("said %s", "by log");
  console.info("said by info");
  console.table([{ said: "by table" }]);
  console.error("said by error");
  process.stdout.write("said by process.stdout\\n");
  Deno.stdout.writeSync(new TextEncoder().encode("said by Deno.stdout\\n"));
  return "done";
}
`;

const SAID = [
  ...["while loading", "by log", "by info", "by table", "by error"],
  ...["by process.stdout", "by Deno.stdout"],
];

async function output(
  scratch: Scratch,
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await holdfastProcess(["--db", scratch.db, ...args]).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out: out!, err: err! };
}

Deno.test("what a handler prints goes to standard error, and the JSON document stays alone", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("loud.js"), LOUD);
  const handlers = ["--handlers", scratch.path("loud.js")];
  await scratch.run(["enqueue", "loud"]);
  const worked = await output(scratch, ["worker", ...handlers, "--until-empty", "--json"]);
  assertEquals([worked.code, JSON.parse(worked.out).completed], [0, 1]);
  for (const said of SAID) assertStringIncludes(worked.err, said);
  const ran = await output(scratch, ["run", "loud", ...handlers]);
  assertEquals([ran.code, ran.out], [0, '"done"\n']);
});

Deno.test("what an isolated handler prints goes to standard error too", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("loud.js"), LOUD);
  const entry = { task_type: "loud", module: "loud.js", function: "loud" };
  const list = [{ ...entry, isolation: "worker", permissions: "none" }];
  await Deno.writeTextFile(scratch.path("list.json"), JSON.stringify(list));
  const handlers = ["--handlers", scratch.path("list.json")];
  const { code, out, err } = await output(scratch, ["run", "loud", ...handlers, "--json"]);
  assertEquals([code, JSON.parse(out).result], [0, "done"]);
  for (const said of SAID) assertStringIncludes(err, said);
});
