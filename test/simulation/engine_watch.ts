/**
 * Knows the databases that a process has open, so that a dead process's can be freed and a closed one's counted.
 */
import type { SqlDatabase, SqlEngine } from "../../src/ledger/sql_engine.ts";

/** Passes everything on to another engine. */
export class EngineWatch implements SqlEngine {
  readonly #inner: SqlEngine;
  readonly #open = new Set<SqlDatabase>();

  constructor(inner: SqlEngine) {
    this.#inner = inner;
  }

  /** How many databases are open. */
  get openCount(): number {
    return this.#open.size;
  }

  open(bytes?: Uint8Array): SqlDatabase {
    const database = this.#inner.open(bytes);
    this.#open.add(database);
    return {
      run: (sql) => database.run(sql),
      all: (sql, parameters) => database.all(sql, parameters),
      execute: (sql, parameters) => database.execute(sql, parameters),
      export: () => database.export(),
      close: () => {
        if (this.#open.delete(database)) database.close();
      },
    };
  }

  /** Closes what is left. */
  closeAll(): void {
    for (const database of this.#open) database.close();
    this.#open.clear();
  }
}
