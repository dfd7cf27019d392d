/**
 * Repair: what can be salvaged of a damaged queue goes into a new file, and the damaged files stay as they are.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { newQueueId } from "../domain/queue_id.ts";
import { writeBackup } from "./backups.ts";
import { type LostPart, salvage } from "../ledger/salvage.ts";
import { DenoStorage } from "../platform/deno_storage.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";

/** How to repair. */
export interface RepairOptions {
  /** The new file, which must not be there yet; default the queue's path with `.repaired` behind it. */
  readonly output?: string;
  /** Read the files although the queue may be open somewhere. Default false. */
  readonly force?: boolean;
}

const REPAIR_OPTIONS = optionNames<RepairOptions>({ output: true, force: true });

/** The result of a repair. */
export interface RepairReport {
  /** The new file: a backup, which `restoreBackup` puts in the queue's place. */
  readonly path: string;
  /** How many tasks it holds. */
  readonly tasks: number;
  /** How many records of the journal could be applied to the snapshot. */
  readonly records: number;
  /** The parts that could not be used; empty when nothing was damaged. */
  readonly lost: readonly LostPart[];
}

/**
 * Salvages the queue at `path` into a new file. Nothing of the queue is changed.
 *
 * @throws StorageError when there is no queue, it is open and this is not forced, or the new file is there already.
 */
export async function repairQueue(
  path: string,
  options: RepairOptions = {},
): Promise<RepairReport> {
  checkOptions(options, REPAIR_OPTIONS, "repairQueue");
  const presence = options.force ? "unseen" : "exclusive";
  const storage = new DenoStorage(path, { mustExist: true, presence });
  try {
    await storage.open();
    const engine = await loadSqlJsEngine();
    const salvaged = await salvage({ storage, engine, schema: QUEUE_SCHEMA, newQueueId });
    const { replica, sequence, records, lost } = salvaged;
    const content = replica.export({ queueId: newQueueId(), sequence });
    replica.close();
    const output = options.output ?? `${storage.location}.repaired`;
    const { tasks } = await writeBackup(output, content, storage.location);
    return { path: output, tasks, records, lost };
  } finally {
    storage.close();
  }
}
