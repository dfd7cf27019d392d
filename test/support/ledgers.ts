/**
 * Ledgers for tests: a table of notes, several processes on one disk.
 */
import type { Clock } from "../../src/domain/clock.ts";
import type { Durability } from "../../src/domain/durability.ts";
import type { Folding } from "../../src/ledger/fold.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import type { Schema } from "../../src/ledger/schema.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { FakeClock } from "./fake_clock.ts";
import { OrderMonitor, watchLedger } from "./order_monitor.ts";

/** One table: an id and a text. */
export const NOTES: Schema = {
  tables: [{ name: "notes", key: ["id"] }],
  migrations: ["CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL)"],
};

/** How a test's ledger differs from the usual one. */
export interface TestLedgerOptions {
  readonly schema?: Schema;
  readonly clock?: Clock;
  readonly durability?: Durability;
  readonly folding?: Folding;
  readonly isReadOnly?: boolean;
  readonly onBackgroundError?: (error: Error) => void;
}

/** A ledger of notes on `storage`, watched for what it does too early. */
export async function openLedger(
  storage: Storage,
  options: TestLedgerOptions = {},
): Promise<Ledger> {
  const monitor = new OrderMonitor(storage);
  const ledger = await Ledger.open({
    storage: monitor,
    engine: await loadSqlJsEngine(),
    schema: options.schema ?? NOTES,
    clock: options.clock ?? new FakeClock(),
    newQueueId: () => crypto.getRandomValues(new Uint8Array(16)).toHex(),
    durability: options.durability,
    folding: options.folding,
    isReadOnly: options.isReadOnly,
    onBackgroundError: options.onBackgroundError ?? ((error) => {
      throw error;
    }),
  });
  return options.durability === "relaxed" ? ledger : watchLedger(ledger, monitor);
}

/** Adds a note; resolves to its id. */
export function addNote(ledger: Ledger, text: string): Promise<number> {
  return ledger.write((tx) => Number(tx.insert("notes", { text })[0]));
}

/** Every note's text, in order of their ids. */
export async function readNotes(ledger: Ledger): Promise<string[]> {
  return await ledger.read((reader) =>
    reader.read("SELECT text FROM notes ORDER BY id").map(([text]) => String(text))
  );
}
