/**
 * ProjectConfig: what a project says of its queue, its workers and its server. `SETTINGS` says more of each.
 */
import type { ClaimOrder } from "../domain/claim_order.ts";
import type { Durability } from "../domain/durability.ts";

/** The settings that can come from outside: a project file, the environment, options. */
export interface ProjectConfig {
  /** The queue: a path, or the address of a database. */
  readonly db: string;
  /** The handler file; `undefined` when there is none. */
  readonly handlers: string | undefined;
  /** The file of command modules; `undefined` when there is none. */
  readonly modules: string | undefined;
  /** Which finished tasks are deleted, as rules that `parseRetention` reads; empty when all are kept. */
  readonly retention: readonly string[];
  /** As in `QueueSettings`. */
  readonly durability: Durability;
  /** As in `QueueSettings`. */
  readonly payloadMaxBytes: number;
  /** As in `QueueSettings`. */
  readonly memoryMaxBytes: number;
  /** `taskMaxBytes` of `LogLimits`. */
  readonly logMaxBytes: number;
  /** As in `QueueSettings`. */
  readonly logsMaxBytes: number;
  /** As in `WorkerOptions`. */
  readonly workerId: string | undefined;
  /** As in `WorkerOptions`. */
  readonly strategy: ClaimOrder;
  /** As in `WorkerOptions`. */
  readonly concurrency: number;
  /** As in `WorkerOptions`. */
  readonly leaseDurationMs: number;
  /** As in `WorkerOptions`. */
  readonly pollIntervalMs: number;
  /** As in `WorkerOptions`. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** `allowedHosts` of `WebhookOptions`. */
  readonly webhookAllowedHosts: readonly string[];
  /** The file that holds the secret by which webhooks are signed. */
  readonly webhookSecretFile: string | undefined;
  /** `timeoutMs` of `WebhookOptions`. */
  readonly webhookTimeoutMs: number;
  /** Where `holdfast serve` listens. */
  readonly host: string;
  /** On which port. */
  readonly port: number;
  /** The file of its access tokens. */
  readonly tokensFile: string | undefined;
  /** The origins whose pages may use it. */
  readonly corsOrigins: readonly string[];
  /** Whether it shows a dashboard. */
  readonly dashboard: boolean;
}
