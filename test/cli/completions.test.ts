/**
 * `holdfast completions SHELL`: the scripts, run by the shells themselves where they are there.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createProgram } from "../../cli/main.ts";
import { commandName, commandsOf } from "../../cli/manual.ts";
import { TASK_STATUSES } from "../../src/mod.ts";
import { capturedIo, holdfast, Scratch } from "./cli_harness.ts";

async function script(shell: string): Promise<string> {
  const { code, out, err } = await holdfast(["completions", shell]);
  assertEquals([code, err], [0, ""]);
  return out;
}

/** What a shell writes when it runs these arguments; fails when it ends with anything but 0. */
async function shellOutput(shell: string, args: string[], cwd?: string): Promise<string> {
  const command = new Deno.Command(shell, { args, cwd, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

/** Whether the shell is on this machine. */
function isThere(shell: string): boolean {
  try {
    return new Deno.Command(shell, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** What bash offers for the last of these words. */
async function bashOffers(words: readonly string[], cwd?: string): Promise<string[]> {
  const typed = ["holdfast", ...words].map((word) => `'${word}'`).join(" ");
  const code = `${await script("bash")}
COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _holdfast 2>/dev/null
[[ \${#COMPREPLY[@]} == 0 ]] || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = await shellOutput("bash", ["--norc", "-c", code], cwd);
  return out.split("\n").filter((line) => line !== "");
}

const BASH_CASES: readonly (readonly [words: readonly string[], offers: readonly string[]])[] = [
  [["ca"], ["cancel"]],
  [["che"], ["checkpoint", "check"]],
  [["list", "--st"], ["--status"]],
  [["list", "--status", ""], [...TASK_STATUSES]],
  [["list", "--status", "c"], ["completed", "cancelled"]],
  [["list", "--status", "="], [...TASK_STATUSES]],
  [["list", "--status", "=", "f"], ["failed"]],
  [["prune", "--status", ""], ["completed", "failed", "cancelled"]],
  [["--db", "list", "sho"], ["show"]],
  [["--db", "=", "x", "sho"], ["show"]],
  [["--db", "some queue.db", "logs", "--fo"], ["--follow"]],
  [["completions", "p"], ["powershell"]],
  [["help", "expl"], ["explain"]],
  [["show", ""], []],
  [["enqueue", "--priority", ""], []],
  [["--j"], ["--json"]],
  [["nonsense", "wor"], ["worker", "workers"]],
];

for (const [words, offers] of BASH_CASES) {
  Deno.test({
    name: `bash offers ${offers.join(", ") || "nothing"} after: holdfast ${words.join(" ")}`,
    ignore: !isThere("bash"),
    fn: async () => assertEquals(await bashOffers(words), [...offers]),
  });
}

Deno.test({
  name: "bash offers files, also with spaces, where a file is wanted",
  ignore: !isThere("bash"),
  fn: async () => {
    await using scratch = new Scratch();
    await Deno.writeTextFile(scratch.path("my tasks.ndjson"), "");
    await Deno.writeTextFile(scratch.path("my handlers.ts"), "");
    assertEquals(await bashOffers(["enqueue", "--batch", "my t"], scratch.folder), [
      "my tasks.ndjson",
    ]);
    assertEquals(await bashOffers(["restore", "my h"], scratch.folder), ["my handlers.ts"]);
  },
});

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test({
    name: `${shell} can read its script`,
    ignore: !isThere(shell),
    fn: async () => {
      await using scratch = new Scratch();
      await Deno.writeTextFile(scratch.path("script"), await script(shell));
      await shellOutput(shell, ["-n", scratch.path("script")]);
    },
  });
}

Deno.test({
  name: "fish offers commands, options and choices",
  ignore: !isThere("fish"),
  fn: async () => {
    await using scratch = new Scratch();
    const file = scratch.path("holdfast.fish");
    await Deno.writeTextFile(file, await script("fish"));
    const offers = async (typed: string): Promise<string[]> => {
      const out = await shellOutput("fish", [
        "--no-config",
        "-c",
        `source '${file}'; complete -C 'holdfast ${typed}'`,
      ], scratch.folder);
      return out.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[0]!);
    };
    assertEquals(await offers("wor"), ["worker", "workers"]);
    assertEquals((await offers("list --status ")).toSorted(), [...TASK_STATUSES].toSorted());
    assertEquals(await offers("logs --fol"), ["--follow"]);
    assertEquals(await offers("completions z"), ["zsh"]);
  },
});

for (const shell of ["bash", "zsh", "fish", "powershell"]) {
  Deno.test(`the ${shell} script has every command, option and choice`, async () => {
    const text = await script(shell);
    const program = createProgram(capturedIo().io, { run: () => Promise.resolve() });
    const commands = commandsOf(program);
    assert(commands.length > 20, `${commands.length} commands`);
    for (const command of commands) {
      assertStringIncludes(text, commandName(command).split(" ").at(-1)!);
      for (const option of command.options) {
        assertStringIncludes(text, shell === "fish" ? `-l ${option.long!.slice(2)}` : option.long!);
        for (const choice of option.argChoices ?? []) assertStringIncludes(text, choice);
      }
    }
  });
}

Deno.test("the PowerShell script closes every bracket and quote", async () => {
  const text = (await script("powershell")).replace(/^#.*$/gm, "").replaceAll("''", "");
  const open: string[] = [];
  const closes: Readonly<Record<string, string>> = { ")": "(", "}": "{", "]": "[" };
  for (const character of text.replace(/'[^'\n]*'/g, "")) {
    if ("({[".includes(character)) open.push(character);
    if (character in closes) assertEquals(open.pop(), closes[character]);
    assert(character !== "'", "an open quote");
  }
  assertEquals(open, []);
});

Deno.test("completions refuses --json: it writes a script", async () => {
  const { code, out, err } = await holdfast(["--json", "completions", "bash"]);
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "--json");
});

Deno.test("completions refuses a shell that it does not know, and names those that it does", async () => {
  const { code, out, err } = await holdfast(["completions", "cmd"]);
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "bash, zsh, fish, powershell");
});
