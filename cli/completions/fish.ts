/**
 * Completions for fish: one `complete` line per command, option and argument.
 */
import type { CompletionCommand, CompletionOption, ValueKind } from "./completion_model.ts";

/** The script that fish loads from its completions folder. */
export function fishCompletions(commands: readonly CompletionCommand[]): string {
  return `# Completions of holdfast for fish: holdfast completions fish > ~/.config/fish/completions/holdfast.fish
complete -c holdfast -f
${commands.flatMap(linesOf).join("\n")}
`;
}

function linesOf(command: CompletionCommand): string[] {
  const condition = conditionOf(command);
  const { options, argument, subcommands } = command;
  return [
    ...subcommands.map((each) =>
      line(condition, `-a ${quoted(each.name)} -d ${quoted(each.description)}`)
    ),
    ...options.map((option) => line(condition, optionWords(option))),
    ...argument === null || argument === "text" ? [] : [line(condition, valueWords(argument))],
  ];
}

/** True where this command, and none below it, has been typed. */
function conditionOf({ name, subcommands }: CompletionCommand): string {
  const seen = name.split(" ").filter((word) => word !== "")
    .map((word) => `__fish_seen_subcommand_from ${word}`);
  const next = subcommands.map((each) => each.name).join(" ");
  const none = next === "" ? [] : [`not __fish_seen_subcommand_from ${next}`];
  return [...seen, ...none].join("; and ");
}

function line(condition: string, words: string): string {
  return `complete -c holdfast -n ${quoted(condition)} ${words}`;
}

function optionWords({ names, description, value }: CompletionOption): string {
  const flags = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
  );
  const wanted = value === null ? [] : [value === "text" ? "-x" : `-r ${valueWords(value)}`];
  return [...flags, ...wanted, `-d ${quoted(description)}`].join(" ");
}

function valueWords(value: Exclude<ValueKind, "text">): string {
  return value === "file" ? "-F" : `-f -a ${quoted(value.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
