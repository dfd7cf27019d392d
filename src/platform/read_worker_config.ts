/**
 * A worker's configuration as it stands around this process: environment variables and a file.
 */
import { messageOf, quotePath } from "../domain/errors.ts";
import {
  resolveWorkerConfig,
  WORKER_CONFIG_VARIABLES,
  type WorkerConfig,
} from "../worker/worker_config.ts";
import { readEnvironment } from "./environment.ts";
import { readSettingsFile } from "./settings_file.ts";

/** How a worker's configuration is found. */
export interface ReadWorkerConfigOptions {
  /** Takes precedence over everything else; default none. */
  readonly options?: Partial<WorkerConfig>;
  /** The path of a `.json`, `.yaml` or `.toml` file; default none. */
  readonly file?: string;
  /** Environment variables; default those of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * The configuration from options, then environment, then file, then defaults.
 *
 * @throws TypeError with the wrong setting, its value and what is allowed, or with the file and why it cannot be read.
 */
export async function readWorkerConfig(
  { options, file, env }: ReadWorkerConfigOptions = {},
): Promise<WorkerConfig> {
  return resolveWorkerConfig({
    options,
    env: env ?? readEnvironment(WORKER_CONFIG_VARIABLES),
    file: file === undefined ? undefined : await read(file),
  });
}

async function read(file: string): Promise<{ readonly name: string; readonly content: unknown }> {
  const name = quotePath(file);
  try {
    return { name, content: await readSettingsFile(file) ?? {} };
  } catch (thrown) {
    throw new TypeError(`Cannot configure the worker from ${name}: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}
