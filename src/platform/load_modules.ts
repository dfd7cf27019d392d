/**
 * Module files: the command modules of a `.json`, `.yaml` or `.toml` file, registered as handlers.
 *
 * All or nothing: either every module is registered, or none is and the error names the one that is wrong.
 */
import { dirname, resolve } from "node:path";
import { messageOf, quotePath } from "../domain/errors.ts";
import { commandHandler, commandHandlerOptions } from "../patterns/command_module.ts";
import { moduleEntryName, parseModuleList } from "../patterns/module_list.ts";
import { HandlerRegistry } from "../worker/handler_registry.ts";
import { denoProcesses } from "./deno_processes.ts";
import { readSettingsFile } from "./settings_file.ts";

/**
 * Registers every command module of `file` (a path, absolute or relative to the working directory) in `registry`. Programs
 * and scripts are looked for when a run starts, so a server that runs none needs none.
 *
 * @throws TypeError with the file, the entry's index (from 0), the field, its value and what is allowed; nothing is
 * registered then.
 */
export async function loadModules(
  file: string,
  registry: HandlerRegistry = new HandlerRegistry(),
): Promise<HandlerRegistry> {
  try {
    const path = resolve(file);
    const modules = parseModuleList(await readSettingsFile(path));
    const tools = { processes: denoProcesses, folder: dirname(path) };
    const handlers = modules.map((module) =>
      [module.id, commandHandler(module, tools), commandHandlerOptions(module)] as const
    );
    const trial = new HandlerRegistry();
    handlers.forEach(([id, handler, options], index) => {
      try {
        trial.register(id, handler, options);
        if (registry.has(id)) throw new TypeError("id: there is a handler of this type already");
      } catch (thrown) {
        const name = moduleEntryName(index, modules[index]);
        throw new TypeError(`${name}: ${messageOf(thrown)}`, { cause: thrown });
      }
    });
    for (const [id, handler, options] of handlers) registry.register(id, handler, options);
    return registry;
  } catch (thrown) {
    throw new TypeError(
      `Cannot load modules from ${quotePath(file)}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}
