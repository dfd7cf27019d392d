/**
 * Command modules as handlers: each run of one is a run of its program.
 *
 * A program that is not there fails the task at once: no attempt of this worker could change that.
 */
import { messageOf, PermanentError } from "../domain/errors.ts";
import { effectiveValues } from "../domain/module_parameter.ts";
import type { Handler, HandlerOptions } from "../worker/handler_registry.ts";
import { expandArguments } from "./module_arguments.ts";
import type { CommandModule } from "./module_list.ts";
import { parametersSchema } from "./module_parameters.ts";
import type { Processes, Program, ProgramRequest } from "./processes.ts";
import { runAsTask } from "./run_as_task.ts";

/** What a command module runs on. */
export interface CommandModuleTools {
  readonly processes: Processes;
  /** What the module's paths are relative to: the folder of its list. */
  readonly folder: string;
}

/** The handler that runs `module`. */
export function commandHandler(module: CommandModule, tools: CommandModuleTools): Handler {
  const processes = findingOrFailing(tools.processes);
  const ending = { successExitCodes: module.successExitCodes, isPermanent: false };
  return (task, context) => {
    const request = requestOf(module, tools.folder, task.payload as Record<string, unknown>);
    return runAsTask(processes, request, context, ending);
  };
}

/** How the handler of `module` is registered. */
export function commandHandlerOptions(module: CommandModule): HandlerOptions {
  const { maxAttempts, ...retryPolicy } = module.retry;
  const isRetrySet = Object.values(retryPolicy).some((value) => value !== undefined);
  return {
    name: module.name,
    description: module.description,
    version: module.version ?? undefined,
    payload: parametersSchema(module.parameters),
    parameters: module.parameters,
    retryPolicy: isRetrySet ? retryPolicy : undefined,
    maxAttempts,
    timeoutMs: module.timeoutMs ?? undefined,
    concurrency: module.concurrency ?? undefined,
  };
}

function requestOf(
  module: CommandModule,
  folder: string,
  parameters: Readonly<Record<string, unknown>>,
): ProgramRequest {
  const values = effectiveValues(module.parameters, parameters);
  return {
    command: module.command ?? undefined,
    script: module.script ?? undefined,
    args: expandArguments(module.arguments, values),
    cwd: module.workingDirectory,
    folder,
    environment: { allow: module.environment, set: module.environmentSet },
    stdin: module.readsParameters ? `${JSON.stringify(Object.fromEntries(values))}\n` : undefined,
  };
}

function findingOrFailing(processes: Processes): Processes {
  const find = async (request: ProgramRequest): Promise<Program> => {
    try {
      return await processes.find(request);
    } catch (error) {
      throw new PermanentError(messageOf(error), { cause: error });
    }
  };
  return { find, start: (program) => processes.start(program) };
}
