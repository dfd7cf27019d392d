/**
 * Completions for bash 3.2 and later.
 */
import { type CompletionCommand, type ValueKind, valueOptionNames } from "./completion_model.ts";

/** The script that `source` loads. */
export function bashCompletions(commands: readonly CompletionCommand[]): string {
  const named = commands.filter(({ name }) => name !== "");
  return `# Completions of holdfast for bash: source <(holdfast completions bash)

_holdfast_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$1"))
}

_holdfast() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" word="" skip="" options="" i
  # --option=value comes as three words
  [[ $cur == "=" ]] && cur="" && prev="="
  [[ $prev == "=" ]] && prev="\${COMP_WORDS[COMP_CWORD-2]}"
  [[ \${COMP_WORDS[COMP_CWORD]} == "=" ]] && prev="\${COMP_WORDS[COMP_CWORD-1]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    [[ $word == "=" ]] && continue
    [[ -n $skip ]] && skip="" && continue
    case "$word" in
      ${valueOptionNames(commands).join("|")}) skip=1 ;;
      -*) ;;
      *)
        case "\${command:+$command }$word" in
          ${named.map(({ name }) => quoted(name)).join("|")})
            command="\${command:+$command }$word" ;;
        esac ;;
    esac
  done
  case "$command:$prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case "$command" in
${commands.map(wordCase).join("\n")}
  esac
}

complete -F _holdfast holdfast holdfast.exe
`;
}

function valueCases({ name, options }: CompletionCommand): string[] {
  return options.flatMap(({ names, value }) =>
    value === null ? [] : [
      `    ${names.map((each) => quoted(`${name}:${each}`)).join("|")}) ${reply(value)}; return ;;`,
    ]
  );
}

function wordCase({ name, options, argument, subcommands }: CompletionCommand): string {
  const flags = options.flatMap(({ names }) => names).join(" ");
  const words = subcommands.length > 0 ? subcommands.map((each) => each.name) : argument;
  return `    ${quoted(name)})
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "${flags}" -- "$cur"))
      else ${words === null ? "COMPREPLY=()" : reply(words)}
      fi ;;`;
}

function reply(value: ValueKind): string {
  if (value === "file") return '_holdfast_files "$cur"';
  return value === "text"
    ? "COMPREPLY=()"
    : `COMPREPLY=($(compgen -W "${value.join(" ")}" -- "$cur"))`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
