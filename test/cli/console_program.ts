/**
 * Runs `deno` with this program's arguments in a console of their own, and presses Ctrl-C in it at each byte from standard input.
 *
 * On Windows an interrupt is sent to a console, and reaches all of its programs: also the test that sent it, were it its own
 * console. The exit code is that of the program.
 */
const CTRL_C_EVENT = 0;
const ALL_OF_THE_CONSOLE = 0;

const { symbols } = Deno.dlopen("kernel32.dll", {
  FreeConsole: { parameters: [], result: "i32" },
  AllocConsole: { parameters: [], result: "i32" },
  GenerateConsoleCtrlEvent: { parameters: ["u32", "u32"], result: "i32" },
});

async function pressAsAsked(): Promise<void> {
  for await (const presses of Deno.stdin.readable) {
    for (const _ of presses) pressCtrlC();
  }
}

function pressCtrlC(): void {
  if (symbols.GenerateConsoleCtrlEvent(CTRL_C_EVENT, ALL_OF_THE_CONSOLE) === 0) {
    throw new Error("Cannot press Ctrl-C");
  }
}

symbols.FreeConsole();
if (symbols.AllocConsole() === 0) throw new Error("Cannot make a console");
Deno.addSignalListener("SIGINT", () => {});
const { status } = new Deno.Command(Deno.execPath(), {
  args: Deno.args,
  stdin: "null",
  stdout: "inherit",
  stderr: "inherit",
}).spawn();
await Promise.race([status, pressAsAsked().then(() => status)]);
Deno.exit((await status).code);
