/**
 * Words for a shell: command lines that are printed can be typed as they stand.
 */

/** Between single quotes a POSIX shell takes everything as it is, but for the quote itself. */
export function posixQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** As PowerShell reads it, which takes the curly quotes for quotes too. */
export function powershellQuoted(text: string): string {
  return `'${text.replaceAll(/['‘’‚‛]/g, (quote) => quote + quote)}'`;
}

/** A word for the shells of this system, in quotes where it needs them. */
export function shellWord(text: string, isWindows: boolean): string {
  if (!isWindows) return /^[\w./:@%+,=-]+$/.test(text) ? text : posixQuoted(text);
  if (/^[\w./:\\+=-]+$/.test(text)) return text;
  // cmd.exe and PowerShell agree on double quotes, except for what PowerShell replaces between them
  return /[$`]/.test(text) ? powershellQuoted(text) : `"${text}"`;
}

/**
 * What to say when `text`, which should be JSON, was changed by the shells of Windows: cmd.exe hands single quotes on, and
 * both it and PowerShell before 7.3 take away the double quotes.
 */
export function shellHint(text: string): string {
  const isChanged = text.startsWith("'") ||
    (/^[{[]/.test(text) && /\w/.test(text) && !text.includes('"'));
  if (!isChanged) return "";
  return `; the shell may have taken its quotes: write "{\\"key\\":1}" in cmd.exe, '{\\"key\\":1}' in PowerShell before 7.3, or use --payload - and standard input`;
}
