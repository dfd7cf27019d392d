/**
 * `docs/cli.md`, made from the command line itself: its commands, options, examples, exit codes and JSON documents.
 *
 * Run this file to write the page; a test compares it with what is there.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { DOCUMENTS, PARTS } from "../../cli/documents.ts";
import { createProgram } from "../../cli/main.ts";
import { type AnyCommand, commandName, commandsOf, MANUAL, type Page } from "../../cli/manual.ts";
import { capturedIo } from "../cli/cli_harness.ts";
import { formatted } from "./settings_pages.ts";

/** Where the page is. */
export const CLI_PAGE = join(fileURLToPath(new URL("../..", import.meta.url)), "docs", "cli.md");

const INTRODUCTION = `# The command line

This page is made from the program by \`deno task docs\`; a test keeps it true.

\`holdfast COMMAND --help\` shows the same for one command. In a checkout, \`deno task cli COMMAND\` is
\`holdfast COMMAND\`.

The answer goes to standard output, everything else (notes, logs, progress, errors) to standard
error. On a terminal, tables fit its width; in a pipe they are lines of tab-separated fields of which
nothing is cut. Colours are for terminals only: \`NO_COLOR\` turns them off, \`FORCE_COLOR\` on.
With \`--json\` there is one document on standard output and nothing else. Instants are ISO 8601 in
UTC (\`Instant\` below is such a string). A task is named by its id or its run id; \`run:7\` is the run id \`7\`.

Examples quote JSON as POSIX shells and PowerShell 7.3 want it; in cmd.exe type
\`--payload "{\\"key\\":1}"\`, in PowerShell 5.1 \`--payload '{\\"key\\":1}'\`, anywhere a pipe into
\`--payload -\`.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | the task failed, or the answer is no |
| 2 | wrong usage: nothing was done, one line says what is allowed |
| 3 | there is no such task, or nothing that could be checked |
| 4 | the queue cannot be opened, or its files are damaged |
| 130 | interrupted |

Every command takes these:

`;

const SHAPES: Readonly<Record<string, z.ZodType>> = { ...DOCUMENTS, ...PARTS };

/** The whole page, not yet formatted. */
export function cliPage(): string {
  const program = createProgram(capturedIo().io, { run: () => Promise.resolve() });
  const sections = commandsOf(program).flatMap((command) => {
    const page = MANUAL[commandName(command)];
    return page === undefined ? [] : [sectionOf(command, page)];
  });
  const documents = Object.entries(SHAPES).map(([name, schema]) =>
    `### ${name}\n\n\`\`\`text\n${typeText(schema, "", name)}\n\`\`\`\n`
  );
  return `${INTRODUCTION}${optionTable(program)}
## Commands

${sections.join("\n")}
## JSON documents

What each command writes with \`--json\`, as TypeScript types.

${documents.join("\n")}`;
}

function sectionOf(command: AnyCommand, { examples, exits = {}, documents }: Page): string {
  const args = command.registeredArguments.map((argument) => {
    const word = argument.name().toUpperCase();
    return argument.required ? word : `[${word}]`;
  });
  const usage = ["holdfast", commandName(command), ...args].join(" ");
  const codes = Object.entries(exits).map(([code, means]) => `- ${code}: ${means}\n`);
  const written = Object.entries(documents).map(([when, name]) => {
    const where = when === "" ? "" : ` (${when})`;
    return `[${name}](#${name.toLowerCase()})${where}`;
  });
  return [
    `### ${commandName(command)}\n\n\`${usage}\`: ${command.description()}.\n`,
    command.options.length === 0 ? "" : optionTable(command),
    `\`\`\`console\n${
      examples.map(({ does, line }) => `# ${does}\n$ ${line}`).join("\n")
    }\n\`\`\`\n`,
    codes.length === 0 ? "" : `Ends with:\n\n${codes.join("")}`,
    written.length === 0 ? "" : `JSON: ${written.join(", ")}\n`,
  ].filter((part) => part !== "").join("\n");
}

function optionTable(command: AnyCommand): string {
  const rows = command.options.map(
    ({ flags, description, argChoices, defaultValue, defaultValueDescription }) => {
      const more = [
        argChoices === undefined ? "" : `one of ${argChoices.join(", ")}`,
        defaultValue === undefined || typeof defaultValue === "boolean"
          ? ""
          : `default ${defaultValueDescription ?? String(defaultValue)}`,
      ].filter((part) => part !== "");
      const text = [description, ...more].join("; ").replaceAll("|", "\\|");
      return `| \`${flags}\` | ${text} |\n`;
    },
  );
  return `| option | means |\n| --- | --- |\n${rows.join("")}`;
}

const NAMES = new Map<unknown, string>(
  Object.entries(SHAPES).map(([name, schema]) => [schema, name]),
);

/** A schema as a TypeScript type; `self` is the document that is being written, all others are called by name. */
function typeText(schema: z.ZodType, indent: string, self?: string): string {
  const name = NAMES.get(schema);
  if (name !== undefined && name !== self) return name;
  // deno-lint-ignore no-explicit-any
  const def = schema.def as any;
  const inner = (type: z.ZodType): string => typeText(type, `${indent}  `);
  switch (def.type) {
    case "object": {
      const fields = Object.entries<z.ZodType>(def.shape).map(([key, value]) => {
        const isOptional = value.def.type === "optional";
        return `${indent}  ${key}${isOptional ? "?" : ""}: ${inner(value)};`;
      });
      return `{\n${fields.join("\n")}\n${indent}}`;
    }
    case "array":
      return arrayText(typeText(def.element, indent));
    case "record":
      return `Record<${inner(def.keyType)}, ${typeText(def.valueType, indent)}>`;
    case "nullable":
      return `${typeText(def.innerType, indent)} | null`;
    case "optional":
    case "nonoptional":
      return typeText(def.innerType, indent);
    case "union":
      return def.options.map((each: z.ZodType) => typeText(each, indent)).join(" | ");
    case "enum":
      return Object.values(def.entries).map((each) => JSON.stringify(each)).join(" | ");
    case "literal":
      return def.values.map((each: unknown) => JSON.stringify(each)).join(" | ");
    case "string":
      return def.format === "datetime" ? "Instant" : "string";
    case "number":
    case "boolean":
    case "unknown":
    case "null":
      return def.type;
    default:
      throw new Error(`Cannot write a schema of type ${def.type}`);
  }
}

function arrayText(element: string): string {
  return element.includes(" | ") ? `(${element})[]` : `${element}[]`;
}

/** The page as `deno fmt` leaves it. */
export function formattedCliPage(): Promise<string> {
  return formatted(cliPage(), "md");
}

if (import.meta.main) await Deno.writeTextFile(CLI_PAGE, await formattedCliPage());
