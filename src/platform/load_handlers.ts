/**
 * Handler files: a TypeScript or JavaScript module each of whose exports is a handler, or a list in `.json`, `.yaml` or
 * `.toml` of which function of which module executes which task type.
 *
 * All or nothing: either every entry is registered, or none is and the error names the one that is wrong. Only the named
 * file and the modules that it lists are imported; nothing in a payload chooses code.
 */
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf, quotePath } from "../domain/errors.ts";
import { entryName, type HandlerListEntry, parseHandlerList } from "../worker/handler_list.ts";
import { type Handler, type HandlerOptions, HandlerRegistry } from "../worker/handler_registry.ts";
import {
  checkSource,
  type HandlerPermissions,
  type HandlerSource,
  type Isolation,
  ISOLATIONS,
} from "../worker/isolated_handler.ts";
import { denoThreads, isolated } from "./deno_threads.ts";
import { isSettingsFile, readSettingsFile } from "./settings_file.ts";

/** An export of a handler file that says more than the bare function does. */
export interface HandlerModuleEntry extends Omit<HandlerOptions, "allowOverride"> {
  /** The task type; default the export's name. */
  readonly type?: string;
  /** Executes the task. */
  readonly handler: Handler;
  /**
   * `worker`: each attempt runs in a new thread, which loads this module anew, so the handler may block its thread and
   * keeps its lease; default `none`, the worker's own thread.
   */
  readonly isolation?: Isolation;
  /** What the thread may do; only with isolation `worker`, default `inherit`. */
  readonly permissions?: HandlerPermissions;
}

const ENTRY_FIELDS: readonly string[] = [
  "type",
  "handler",
  "description",
  "version",
  "payload",
  "retryPolicy",
  "timeoutMs",
  "concurrency",
  "isolation",
  "permissions",
];

/** How handlers of a file run. */
export interface LoadHandlersOptions {
  /** Where the threads of isolated handlers write what their `console.log` says; default `inherit`, standard output. */
  readonly threadOutput?: HandlerSource["output"];
}

/** A handler to be registered, and how messages call it. */
interface NamedHandler {
  readonly name: string;
  readonly type: string;
  readonly handler: Handler;
  readonly options: HandlerOptions;
  /** Where its code is, when it runs in a thread. */
  readonly source?: HandlerSource;
}

/**
 * Registers every handler of `file` (a path, absolute or relative to the working directory) in `registry`.
 *
 * In a module, an export is a function, whose type is the export's name, or a `HandlerModuleEntry`. In a list, an entry
 * has `task_type`, `module` (a path relative to the list), `function` (the name of an export, itself a function or a
 * `HandlerModuleEntry`), and may have `description`, `version`, `retry_policy`, `timeout_ms`, `concurrency`, `isolation`
 * and `permissions`, which go before the export's own. A module that is only used under isolation `worker` is loaded in
 * threads alone, so that its permissions bind all its code; its payloads are then checked in the thread, not at enqueue.
 *
 * @throws TypeError with the file, the export or the entry's index (from 0), and the reason; nothing is registered then.
 */
export async function loadHandlers(
  file: string,
  registry: HandlerRegistry = new HandlerRegistry(),
  { threadOutput }: LoadHandlersOptions = {},
): Promise<HandlerRegistry> {
  try {
    const found = isSettingsFile(file) ? await listed(file) : await exported(file);
    const handlers = found.map((one) => writingTo(one, threadOutput));
    await checkAll(handlers, registry);
    for (const { type, handler, options } of handlers) registry.register(type, handler, options);
    return registry;
  } catch (thrown) {
    throw new TypeError(
      `Cannot load handlers from ${quotePath(file)}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

function writingTo(one: NamedHandler, output: HandlerSource["output"]): NamedHandler {
  if (one.source === undefined || output === undefined) return one;
  const source = { ...one.source, output };
  return { ...one, source, handler: isolated(source) };
}

/** Tries everything out, so that what is wrong shows before the real registry is touched. */
async function checkAll(handlers: readonly NamedHandler[], taken: HandlerRegistry): Promise<void> {
  const trial = new HandlerRegistry();
  for (const { name, type, handler, options, source } of handlers) {
    await naming(name, async () => {
      trial.register(type, handler, options);
      if (taken.has(type.trim())) {
        throw new TypeError(`type ${JSON.stringify(type)} has a handler already`);
      }
      if (source !== undefined) await checkSource(source, denoThreads);
    });
  }
}

/** @throws TypeError that begins with `name` in place of what `work` throws. */
async function naming<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new TypeError(`${name}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

// --- a module whose exports are handlers

async function exported(file: string): Promise<NamedHandler[]> {
  const url = await moduleUrl(resolve(file));
  const exports = Object.entries(await importModule(url));
  if (exports.length === 0) throw new TypeError("it exports nothing");
  return await Promise.all(exports.map(([exportName, value]) => {
    const name = `export ${JSON.stringify(exportName)}`;
    return naming(name, () => ({ name, ...fromExport(value, { module: url, exportName }) }));
  }));
}

function fromExport(
  value: unknown,
  { module, exportName }: { readonly module: string; readonly exportName: string },
): Omit<NamedHandler, "name"> {
  const entry = toEntry(value);
  const { handler, type = exportName, isolation, permissions, ...options } = entry;
  if (isolation !== "worker") return { type, handler, options };
  const source = { module, function: exportName, permissions };
  return { type, handler: isolated(source), options, source };
}

/** @throws TypeError for what is neither a function nor a `HandlerModuleEntry`. */
function toEntry(value: unknown): HandlerModuleEntry {
  if (typeof value === "function") return { handler: value as Handler };
  if (typeof value !== "object" || value === null || !("handler" in value)) {
    throw new TypeError(`a function or an object with a "handler" is needed`);
  }
  const unknownField = Object.keys(value).find((field) => !ENTRY_FIELDS.includes(field));
  if (unknownField !== undefined) {
    const known = ENTRY_FIELDS.join(", ");
    throw new TypeError(
      `it has an unknown field ${JSON.stringify(unknownField)}, known are ${known}`,
    );
  }
  const entry = value as HandlerModuleEntry;
  if (typeof entry.handler !== "function") {
    throw new TypeError(`Cannot use its handler: it is a ${typeof entry.handler}, not a function`);
  }
  const { isolation = "none", permissions } = entry;
  if (!ISOLATIONS.includes(isolation)) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(isolation)} as isolation: allowed are ${ISOLATIONS.join(", ")}`,
    );
  }
  if (permissions !== undefined && isolation !== "worker") {
    throw new TypeError(`its permissions need isolation "worker"`);
  }
  return entry;
}

// --- a list

async function listed(file: string): Promise<NamedHandler[]> {
  const path = resolve(file);
  if (!(await stat(path)).isFile()) throw new TypeError("it is not a file");
  const handlers: NamedHandler[] = [];
  for (const [index, entry] of parseHandlerList(await readSettingsFile(path)).entries()) {
    const name = entryName(index, entry);
    handlers.push(
      await naming(name, async () => ({ name, ...await fromList(entry, dirname(path)) })),
    );
  }
  return handlers;
}

async function fromList(
  entry: HandlerListEntry,
  folder: string,
): Promise<Omit<NamedHandler, "name">> {
  const { task_type: type, permissions } = entry;
  const module = await moduleUrl(resolve(folder, entry.module));
  if (entry.isolation === "worker") {
    const source = { module, function: entry.function, permissions, checksPayload: true };
    return { type, handler: isolated(source), options: optionsOf(entry), source };
  }
  const exports = await importModule(module);
  if (!Object.hasOwn(exports, entry.function)) {
    const names = Object.keys(exports).join(", ") || "nothing";
    throw new TypeError(
      `${entry.module} exports no ${JSON.stringify(entry.function)}, only ${names}`,
    );
  }
  const { handler, description, version, payload, retryPolicy, timeoutMs, concurrency } = toEntry(
    exports[entry.function],
  );
  const own = { description, version, payload, retryPolicy, timeoutMs, concurrency };
  return { type, handler, options: { ...own, ...optionsOf(entry) } };
}

/** The options that the entry sets, and no others. */
function optionsOf(entry: HandlerListEntry): HandlerOptions {
  const { description, version, retry_policy: retry, timeout_ms: timeoutMs, concurrency } = entry;
  const retryPolicy = retry === undefined ? undefined : {
    initialDelayMs: retry.initial_delay_ms,
    multiplier: retry.multiplier,
    maxDelayMs: retry.max_delay_ms,
  };
  const options = { description, version, retryPolicy, timeoutMs, concurrency };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// --- modules

/** The URL of the module at `path`. @throws TypeError when it is no file. */
async function moduleUrl(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new TypeError("it is not a file");
  return pathToFileURL(path).href;
}

async function importModule(url: string): Promise<Record<string, unknown>> {
  return await import(url);
}
