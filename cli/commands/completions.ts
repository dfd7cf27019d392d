/**
 * `holdfast completions SHELL`: a script that teaches a shell the commands, options and choices of this program.
 */
import { Argument } from "@commander-js/extra-typings";
import type { Program } from "../app.ts";
import { bashCompletions } from "../completions/bash.ts";
import { type CompletionCommand, completionModel } from "../completions/completion_model.ts";
import { fishCompletions } from "../completions/fish.ts";
import { powershellCompletions } from "../completions/powershell.ts";
import { zshCompletions } from "../completions/zsh.ts";
import { UsageError } from "../exit.ts";
import type { CliIo } from "../io.ts";

/** The shells that are known. */
export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

const SCRIPTS: Readonly<
  Record<typeof SHELLS[number], (commands: readonly CompletionCommand[]) => string>
> = {
  bash: bashCompletions,
  zsh: zshCompletions,
  fish: fishCompletions,
  powershell: powershellCompletions,
};

/** Adds the command. It opens no queue, and a script is not JSON. */
export function addCompletionsCommand(program: Program, io: CliIo): void {
  program.command("completions")
    .description("write a script that completes commands, options and choices in a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action((shell, _options, command) => {
      if (command.optsWithGlobals().json) {
        throw new UsageError("--json cannot be used with completions: a script is written");
      }
      io.writeOut(SCRIPTS[shell](completionModel(program)));
    });
}
