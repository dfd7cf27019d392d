/**
 * Completions for zsh: one function per command, each made of `_arguments`.
 */
import type { CompletionCommand, CompletionOption, ValueKind } from "./completion_model.ts";

/** The script: a file `_holdfast` in `$fpath`, or sourced. */
export function zshCompletions(commands: readonly CompletionCommand[]): string {
  return `#compdef holdfast
# Completions of holdfast for zsh: holdfast completions zsh > "\${fpath[1]}/_holdfast"

${commands.map(functionOf).join("\n")}
if [[ \${funcstack[1]} == _holdfast ]]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`;
}

function functionOf(command: CompletionCommand): string {
  return command.subcommands.length === 0 ? leafFunction(command) : branchFunction(command);
}

function leafFunction({ name, options, argument }: CompletionCommand): string {
  const specs = [
    ...options.flatMap(optionSpecs),
    ...argument === null ? [] : [`'*:${argument === "text" ? "value" : ""}:${action(argument)}'`],
  ];
  return `${functionName(name)}() {
  _arguments \\
    ${specs.join(" \\\n    ")}
}
`;
}

function branchFunction({ name, options, subcommands }: CompletionCommand): string {
  const next = (word: string): string => functionName(name === "" ? word : `${name} ${word}`);
  return `${functionName(name)}() {
  local -a commands line
  local state
  typeset -A opt_args
  commands=(
    ${subcommands.map((each) => quoted(`${each.name}:${each.description}`)).join("\n    ")}
  )
  _arguments -C \\
    ${options.flatMap(optionSpecs).join(" \\\n    ")} \\
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
        ${subcommands.map((each) => `${each.name}) ${next(each.name)} ;;`).join("\n        ")}
      esac ;;
  esac
}
`;
}

function optionSpecs({ names, description, value }: CompletionOption): string[] {
  const told = description.replace(/[\\[\]:]/g, "\\$&");
  return names.map((name) =>
    quoted(`${name}[${told}]${value === null ? "" : `:value:${action(value)}`}`)
  );
}

function action(value: ValueKind): string {
  if (value === "file") return "_files";
  return value === "text" ? " " : `(${value.join(" ")})`;
}

function functionName(command: string): string {
  return command === "" ? "_holdfast" : `_holdfast_${command.replaceAll(" ", "_")}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
