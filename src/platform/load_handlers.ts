/**
 * Handler files: a TypeScript or JavaScript module each of whose exports is a handler.
 *
 * All or nothing: either every export is registered, or none is and the error names the one that is wrong. Only the
 * named file is imported; nothing in a payload chooses code.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf } from "../domain/errors.ts";
import { type Handler, type HandlerOptions, HandlerRegistry } from "../worker/handler_registry.ts";

/** An export of a handler file that says more than the bare function does. */
export interface HandlerModuleEntry extends Omit<HandlerOptions, "allowOverride"> {
  /** The task type; default the export's name. */
  readonly type?: string;
  /** Executes the task. */
  readonly handler: Handler;
}

const ENTRY_FIELDS: readonly string[] = [
  "type",
  "handler",
  "description",
  "payload",
  "retryPolicy",
  "timeoutMs",
  "concurrency",
];

interface NamedEntry {
  readonly exportName: string;
  readonly type: string;
  readonly entry: HandlerModuleEntry;
}

/**
 * Registers every export of the module `file` (a path, absolute or relative to the working directory) in `registry`.
 *
 * An export is a function, whose type is the export's name, or a `HandlerModuleEntry`.
 *
 * @throws TypeError with the file, the export and the reason; nothing is registered then.
 */
export async function loadHandlers(
  file: string,
  registry: HandlerRegistry = new HandlerRegistry(),
): Promise<HandlerRegistry> {
  try {
    const entries = Object.entries(await importModule(file)).map(toEntry);
    if (entries.length === 0) throw new TypeError("it exports nothing");
    registerAll(entries, { trial: new HandlerRegistry(), taken: registry });
    for (const { type, entry } of entries) registry.register(type, entry.handler, entry);
    return registry;
  } catch (thrown) {
    throw new TypeError(
      `Cannot load handlers from ${JSON.stringify(file)}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  if (!(await stat(path)).isFile()) throw new TypeError("it is not a file");
  return await import(pathToFileURL(path).href);
}

function toEntry([exportName, value]: [string, unknown]): NamedEntry {
  if (typeof value === "function") {
    return { exportName, type: exportName, entry: { handler: value as Handler } };
  }
  if (typeof value !== "object" || value === null || !("handler" in value)) {
    throw refusal(exportName, `a function or an object with a "handler" is needed`);
  }
  const unknownField = Object.keys(value).find((field) => !ENTRY_FIELDS.includes(field));
  if (unknownField !== undefined) {
    throw refusal(
      exportName,
      `it has an unknown field ${JSON.stringify(unknownField)}, known are ${
        ENTRY_FIELDS.join(", ")
      }`,
    );
  }
  const entry = value as HandlerModuleEntry;
  return { exportName, type: entry.type ?? exportName, entry };
}

/** Registers the entries in `trial`, so that what is wrong shows before the real registry is touched. */
function registerAll(
  entries: readonly NamedEntry[],
  registries: { readonly trial: HandlerRegistry; readonly taken: HandlerRegistry },
): void {
  for (const { exportName, type, entry } of entries) {
    try {
      registries.trial.register(type, entry.handler, entry);
    } catch (thrown) {
      throw refusal(exportName, messageOf(thrown));
    }
    if (registries.taken.has(type.trim())) {
      throw refusal(exportName, `type ${JSON.stringify(type)} has a handler already`);
    }
  }
}

function refusal(exportName: string, reason: string): TypeError {
  return new TypeError(`export ${JSON.stringify(exportName)}: ${reason}`);
}
