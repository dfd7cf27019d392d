/**
 * Completions for PowerShell 5.1 and later. Where a file is wanted it gives nothing, and PowerShell completes files itself.
 */
import { type CompletionCommand, type ValueKind, valueOptionNames } from "./completion_model.ts";

/** The script, for `$PROFILE`. */
export function powershellCompletions(commands: readonly CompletionCommand[]): string {
  return `# Completions of holdfast for PowerShell: holdfast completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName 'holdfast', 'holdfast.exe' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $tree = @{
${commands.map(entryOf).join("\n")}
  }
  $takeValue = ${list(valueOptionNames(commands))}
  $command = ''
  $previous = ''
  $before = $commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursorPosition }
  foreach ($element in $before) {
    $word = $element.ToString()
    $isValue = $takeValue -contains $previous
    $previous = $word
    if ($isValue -or $word.StartsWith('-')) { continue }
    $longer = "$command $word".Trim()
    if ($tree.ContainsKey($longer)) { $command = $longer }
  }
  $here = $tree[$command]
  $candidates = if ($takeValue -contains $previous) { $here.Values[$previous] }
    elseif ($wordToComplete.StartsWith('-')) { $here.Options }
    else { $here.Words }
  $candidates | Where-Object { $_ -and $_.StartsWith($wordToComplete) } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function entryOf({ name, options, argument, subcommands }: CompletionCommand): string {
  const words = subcommands.length > 0 ? subcommands.map((each) => each.name) : argument;
  const values = options.flatMap(({ names, value }) =>
    isChoices(value) ? names.map((each) => `${quoted(each)} = ${list(value)}`) : []
  );
  return `    ${quoted(name)} = @{
      Options = ${list(options.flatMap(({ names }) => names))}
      Words = ${list(isChoices(words) ? words : [])}
      Values = @{ ${values.join("; ")} }
    }`;
}

function isChoices(value: ValueKind | null): value is readonly string[] {
  return typeof value === "object" && value !== null;
}

function list(texts: readonly string[]): string {
  return `@(${texts.map(quoted).join(", ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
