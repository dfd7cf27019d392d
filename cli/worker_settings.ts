/**
 * A worker's settings as `worker`, `serve` and `run` find them: options first, then HOLDFAST_… variables, then the file.
 */
import { readWorkerConfig, WORKER_CONFIG_VARIABLES, type WorkerConfig } from "../src/mod.ts";
import type { Session } from "./app.ts";
import { checkedInput } from "./exit.ts";

/** What `--config` takes. */
export const CONFIG_HELP =
  "settings in .json, .yaml or .toml; HOLDFAST_… variables go before it, options before both";

/** The settings. @throws UsageError with the wrong one, its value and what is allowed. */
export function readWorkerSettings(
  session: Session,
  file: string | undefined,
  options: Partial<WorkerConfig> = {},
): Promise<WorkerConfig> {
  const env = Object.fromEntries(
    WORKER_CONFIG_VARIABLES.map((name) => [name, session.io.environment(name)]),
  );
  return checkedInput(() => readWorkerConfig({ options, file, env }));
}
