/**
 * holdfast: the command line.
 *
 * Every command answers on standard output, says everything else on standard error, and ends with one of the exit codes
 * of `exit.ts`. An error is one line, never a stack trace.
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { messageOf, serveProcessWatcher } from "../src/mod.ts";
import { type App, createSession, type Program } from "./app.ts";
import { addBackendCommand } from "./commands/backend.ts";
import { addBackupCommands } from "./commands/backups.ts";
import { addByHandCommands } from "./commands/cancel_retry.ts";
import { addBulkCommands } from "./commands/bulk.ts";
import { addChangeCommands } from "./commands/change.ts";
import { addCheckpointCommand } from "./commands/checkpoint.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addCompletionsCommand } from "./commands/completions.ts";
import { addEnqueueCommand } from "./commands/enqueue.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addExportCommand } from "./commands/export.ts";
import { addHealthCommand } from "./commands/health.ts";
import { addImportCommand } from "./commands/import.ts";
import { addListCommand } from "./commands/list.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addMigrateCommand } from "./commands/migrate.ts";
import { addMoveCommand } from "./commands/move.ts";
import { addPruneCommand } from "./commands/prune.ts";
import { addRepairCommands } from "./commands/repair.ts";
import { addRunCommand } from "./commands/run.ts";
import { addLimitCommands } from "./commands/limit.ts";
import { addScheduleCommands } from "./commands/schedule.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSearchCommand } from "./commands/search.ts";
import { addShowCommand } from "./commands/show.ts";
import { addStatsCommand } from "./commands/stats.ts";
import { addTokenCommand } from "./commands/token.ts";
import { addTransitionsCommand } from "./commands/transitions.ts";
import { addVersionCommand, type BuildData } from "./commands/version.ts";
import { addWorkerCommand } from "./commands/worker.ts";
import { addWorkersCommand } from "./commands/workers.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { type CliIo, systemIo } from "./io.ts";
import { addManual } from "./manual.ts";
import { shellHint } from "./shell_quoting.ts";
import { printable } from "./task_text.ts";

/**
 * Runs `holdfast` with these arguments (without the program's name) and gives its exit code. A compiled program says how it
 * was made.
 */
export async function main(
  args: readonly string[],
  io: CliIo = systemIo(),
  build: BuildData | null = null,
): Promise<number> {
  let exitCode: number = EXIT.done;
  const app: App = {
    run: async (globals, work) => {
      exitCode = await work(await createSession(io, globals));
    },
  };
  try {
    await createProgram(io, app, build, payloadHint(args)).parseAsync(withVersionCommand(args), {
      from: "user",
    });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.done : EXIT.usage;
    io.writeErr(errorLine(messageOf(thrown)));
    return exitCodeOf(thrown);
  }
}

/** `--version` in a command's place is the command `version`. */
function withVersionCommand(args: readonly string[]): string[] {
  const at = args.findIndex((arg) => arg !== "--json");
  return args.map((arg, index) =>
    index === at && (arg === "--version" || arg === "-V") ? "version" : arg
  );
}

/** What may explain too many arguments: cmd.exe splits a payload at its blanks. */
function payloadHint(args: readonly string[]): string {
  const at = args.indexOf("--payload");
  return at < 0 ? "" : shellHint(args[at + 1] ?? "");
}

/** What a newcomer types first; the help of each command has examples of its own. */
const START_HERE = `
Start here:
  holdfast enqueue email --payload '{"to":"ann@example.com"}'
  holdfast worker --handlers handlers.ts --until-empty
  holdfast explain 1

JSON in cmd.exe:               --payload "{\\"to\\":\\"ann@example.com\\"}"
in PowerShell before 7.3:      --payload '{\\"to\\":\\"ann@example.com\\"}'
in every shell, from a pipe:   --payload -

Each command shows examples: holdfast COMMAND --help`;

/** The tree of commands, the chosen one of which `app` runs. `hint` goes with the message about too many arguments. */
export function createProgram(
  io: CliIo,
  app: App,
  build: BuildData | null = null,
  hint = "",
): Program {
  const program: Program = new Command("holdfast")
    .description(
      "A durable task queue in plain files, or on PostgreSQL, for any number of processes.",
    )
    .option(
      "--db <path>",
      "the queue: a path, or postgres://… (default: the project's, else data/queue.db)",
    )
    .option(
      "--config <file>",
      "the project file (default: holdfast.toml, .json or .yaml here)",
    )
    .option("--url <url>", "ask a server instead of files (default: HOLDFAST_URL)")
    .option(
      "--token <token>",
      "the token to send (better: HOLDFAST_TOKEN, which other users cannot see)",
    )
    .option("--json", "answer with one JSON document on standard output")
    .addHelpText("after", START_HERE)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.writeOut(text),
      writeErr: (text) => io.writeErr(text),
      outputError: (text, write) => {
        const message = text.replace(/^error: /, "").trim();
        write(errorLine(/^too many arguments/.test(message) ? `${message}${hint}` : message));
      },
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  addCommands(program, app, io);
  addVersionCommand(program, app, build);
  addManual(program);
  return program;
}

function addCommands(program: Program, app: App, io: CliIo): void {
  addServeCommand(program, app);
  addWorkerCommand(program, app);
  addEnqueueCommand(program, app);
  addRunCommand(program, app);
  addListCommand(program, app);
  addSearchCommand(program, app);
  addShowCommand(program, app);
  addTransitionsCommand(program, app);
  addByHandCommands(program, app);
  addChangeCommands(program, app);
  addBulkCommands(program, app);
  addExplainCommand(program, app);
  addLogsCommand(program, app);
  addStatsCommand(program, app);
  addWorkersCommand(program, app);
  addHealthCommand(program, app);
  addScheduleCommands(program, app);
  addLimitCommands(program, app);
  addPruneCommand(program, app);
  addCheckpointCommand(program, app);
  addBackupCommands(program, app);
  addRepairCommands(program, app);
  addMoveCommand(program, app);
  addMigrateCommand(program, app);
  addTokenCommand(program, app);
  addImportCommand(program, app);
  addExportCommand(program, app);
  addConfigCommand(program, app);
  addBackendCommand(program, app);
  addCompletionsCommand(program, io);
}

function errorLine(message: string): string {
  return `holdfast: ${printable(message.trim().replace(/\s*\n\s*/g, " "))}\n`;
}

if (import.meta.main) {
  await serveProcessWatcher(Deno.args);
  Deno.exit(await main(Deno.args));
}
