/**
 * What a shell can complete: the tree of commands as plain values, so that each shell's script is one function of it.
 */
import type { Argument, Option } from "@commander-js/extra-typings";
import { type AnyCommand, commandName, commandsOf } from "../manual.ts";

/** What may stand where a value is needed. */
export type ValueKind = "file" | "text" | readonly string[];

/** An option. */
export interface CompletionOption {
  /** Its names, such as `-f` and `--follow`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Its value; `null` when it takes none. */
  readonly value: ValueKind | null;
}

/** A command; the program itself is the one with an empty name. */
export interface CompletionCommand {
  /** What one types after `holdfast`, of one or two words. */
  readonly name: string;
  readonly description: string;
  /** Its own options, then those of the whole program. */
  readonly options: readonly CompletionOption[];
  /** What its arguments are; `null` when it takes none. */
  readonly argument: ValueKind | null;
  /** The next word of the commands below it. */
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
}

const HELP: CompletionOption = {
  names: ["-h", "--help"],
  description: "display help for command",
  value: null,
};

/** The program and every command below it. */
export function completionModel(program: AnyCommand): CompletionCommand[] {
  const globals = program.options.map(optionOf);
  const names = program.commands.map((command: AnyCommand) => command.name());
  const help = { name: "help", description: "display help for a command" };
  const root: CompletionCommand = {
    ...commandOf(program, []),
    name: "",
    subcommands: [...subcommandsOf(program), help],
  };
  return [
    { ...root, options: [...globals.filter(isNoHelp), HELP] },
    ...commandsOf(program).map((command) => ({
      ...commandOf(command, globals),
      name: commandName(command),
    })),
    { ...help, options: [HELP], argument: names, subcommands: [] },
  ];
}

/** Every option of every command that takes a value, by its names. */
export function valueOptionNames(commands: readonly CompletionCommand[]): string[] {
  const options = commands.flatMap((command) => command.options);
  return [...new Set(options.filter(({ value }) => value !== null).flatMap(({ names }) => names))];
}

function commandOf(
  command: AnyCommand,
  globals: readonly CompletionOption[],
): Omit<CompletionCommand, "name"> {
  const [argument] = command.registeredArguments;
  return {
    description: command.description(),
    options: [...command.options.map(optionOf), ...globals.filter(isNoHelp), HELP],
    argument: argument === undefined ? null : argumentKind(argument),
    subcommands: subcommandsOf(command),
  };
}

function subcommandsOf(command: AnyCommand): CompletionCommand["subcommands"] {
  return command.commands.map((each: AnyCommand) => ({
    name: each.name(),
    description: each.description(),
  }));
}

function optionOf({ short, long, description, flags, argChoices }: Option): CompletionOption {
  const names = [short, long].filter((name) => name !== undefined);
  const placeholder = /[<[]([\w-]+)/.exec(flags)?.[1];
  return {
    names,
    description,
    value: placeholder === undefined ? null : argChoices ?? kindOf(placeholder),
  };
}

function argumentKind(argument: Argument): ValueKind {
  return argument.argChoices ?? kindOf(argument.name());
}

function kindOf(placeholder: string): ValueKind {
  return /^(file|path|folder)$/.test(placeholder) ? "file" : "text";
}

function isNoHelp({ names }: CompletionOption): boolean {
  return !names.includes("--help");
}
