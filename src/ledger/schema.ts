/**
 * Schema: which tables a replica has, and how an older version becomes the newest.
 */

/** A table whose rows the journal records. */
export interface TableDefinition {
  readonly name: string;
  /** The primary key's columns. */
  readonly key: readonly string[];
}

/**
 * The tables of a ledger. A migration is deterministic SQL: each process runs it at the same place in the journal (where
 * the first segment of the new version begins) and must get the same rows.
 */
export interface Schema {
  readonly tables: readonly TableDefinition[];
  /** `migrations[v]` turns version `v` into `v + 1`; the first makes the tables. The version is their number. */
  readonly migrations: readonly string[];
}
