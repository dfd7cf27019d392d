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
import { checkOneOf } from "../domain/check.ts";
import { messageOf, quotePath } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { toRetryPolicy } from "../domain/task_body.ts";
import { entryName, type HandlerListEntry, parseHandlerList } from "../worker/handler_list.ts";
import type { StandardSchema } from "../domain/standard_schema.ts";
import type { ParentDefinitions, TaskDefinition } from "../queue/task_definition.ts";
import {
  type DefinedHandler,
  type DefinedHandlerOptions,
  type Handler,
  type HandlerOptions,
  handlerOptionsOf,
  HandlerRegistry,
} from "../worker/handler_registry.ts";
import {
  checkSource,
  type HandlerPermissions,
  type HandlerSource,
  type Isolation,
  ISOLATIONS,
  sourceOf,
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

/** What a handler file says of a handler beside its definition. */
export type DefinedHandlerPlace =
  & Omit<DefinedHandlerOptions, "allowOverride">
  & Pick<HandlerModuleEntry, "isolation" | "permissions">;

/**
 * An export of a handler file for a task that has a definition, which types and checks what the handler gets and returns.
 *
 * ```ts ignore
 * export const sendEmail = defineHandler(email, async (task) => ({ messageId: await send(task.payload.to) }));
 * ```
 */
export function defineHandler<
  const Type extends string,
  Payload extends StandardSchema,
  Result extends StandardSchema | undefined,
  const Parents extends ParentDefinitions | undefined,
>(
  definition: TaskDefinition<Type, Payload, Result, Parents>,
  handler: DefinedHandler<TaskDefinition<Type, Payload, Result, Parents>>,
  place: DefinedHandlerPlace = {},
): HandlerModuleEntry {
  const { allowOverride: _none, ...options } = handlerOptionsOf(
    definition as unknown as TaskDefinition,
  );
  return { ...options, ...place, type: definition.type, handler: handler as Handler };
}

const ENTRY_FIELDS: readonly string[] = [
  "type",
  "handler",
  "name",
  "description",
  "version",
  "payload",
  "result",
  "parents",
  "parameters",
  "retryPolicy",
  "maxAttempts",
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

const LOAD_OPTIONS = optionNames<LoadHandlersOptions>({ threadOutput: true });

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
 * and `permissions`, which take precedence over the export's own. A module that the list gives isolation `worker` is loaded in
 * threads alone, so that its permissions bind all its code: they must stand in the list then, also where the export has
 * some, and its payloads are checked in the thread, not at enqueue.
 *
 * @throws TypeError with the file, the export or the entry's index (from 0), and the reason; nothing is registered then.
 */
export async function loadHandlers(
  file: string,
  registry: HandlerRegistry = new HandlerRegistry(),
  options: LoadHandlersOptions = {},
): Promise<HandlerRegistry> {
  checkOptions(options, LOAD_OPTIONS, "loadHandlers");
  try {
    const found = isSettingsFile(file) ? await listed(file) : await exported(file);
    const named = found.map((one) => writingTo(one, options.threadOutput));
    const handlers = await checkAll(named, registry);
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

/** Tests everything, so that problems show before the real registry is touched. */
async function checkAll(
  handlers: readonly NamedHandler[],
  taken: HandlerRegistry,
): Promise<readonly NamedHandler[]> {
  const trial = new HandlerRegistry();
  const checked: NamedHandler[] = [];
  for (const one of handlers) {
    await naming(one.name, async () => {
      trial.register(one.type, one.handler, one.options);
      if (taken.has(one.type.trim())) {
        throw new TypeError(`type ${JSON.stringify(one.type)} has a handler already`);
      }
      const whole = await completed(one);
      const again = { ...whole.options, allowOverride: true };
      trial.register(whole.type, whole.handler, again);
      checked.push(whole);
    });
  }
  return checked;
}

/** With the options of the export, where only a thread has loaded it. @throws when a thread cannot load it. */
async function completed(one: NamedHandler): Promise<NamedHandler> {
  const source = one.source ?? sourceOf(one.handler);
  if (source === undefined) return one;
  const own = await checkSource(source, denoThreads);
  return one.source?.checksPayload ? { ...one, options: { ...own, ...one.options } } : one;
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
  if (exportName === "default" && entry.type === undefined) {
    throw new TypeError(`a task type is needed: export it under a name, or with a "type"`);
  }
  const { type = exportName, ...rest } = entry;
  return { type, ...placed(rest, { module, exportName }) };
}

/** The handler where its own isolation wants it, and its options. */
function placed(
  { handler, isolation, permissions, ...options }: Omit<HandlerModuleEntry, "type">,
  { module, exportName }: { readonly module: string; readonly exportName: string },
): Pick<NamedHandler, "handler" | "options" | "source"> {
  if (isolation !== "worker") return { handler, options };
  const source = { module, function: exportName, permissions };
  return { handler: isolated(source), options, source };
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
  checkOneOf(isolation, ISOLATIONS, "isolation");
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
  const { type: _itsName, ...own } = toEntry(exports[entry.function]);
  const isolation = entry.isolation ?? own.isolation;
  const found = placed({ ...own, isolation }, { module, exportName: entry.function });
  return { type, ...found, options: { ...found.options, ...optionsOf(entry) } };
}

/** The options that the entry sets, and no others. */
function optionsOf(entry: HandlerListEntry): HandlerOptions {
  const { description, version, retry_policy: retry, timeout_ms: timeoutMs, concurrency } = entry;
  const retryPolicy = retry && toRetryPolicy(retry);
  const options = { description, version, retryPolicy, timeoutMs, concurrency };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

// --- modules

/** The URL of the module at `path`. @throws TypeError when it is not a file. */
async function moduleUrl(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new TypeError("it is not a file");
  return pathToFileURL(path).href;
}

async function importModule(url: string): Promise<Record<string, unknown>> {
  return await import(url);
}
