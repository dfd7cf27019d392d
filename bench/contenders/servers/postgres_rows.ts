/**
 * A pool of plain connections, for contenders that are SQL and for looking at the tables of the others.
 */
import pg from "pg";
import { CONNECTIONS } from "./server_contender.ts";

/** What a pool does here. */
export interface Rows {
  /** Runs one statement, prepared once for each connection. */
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Runs several statements without parameters. */
  script(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Connects to the database at `url`. */
export function rowsOf(url: string, max: number = CONNECTIONS): Rows {
  const pool = new pg.Pool({ connectionString: url, max });
  const names = new Map<string, string>();
  const nameOf = (text: string): string => {
    const name = names.get(text) ?? `bench_${names.size}`;
    names.set(text, name);
    return name;
  };
  return {
    query: async (text, values = []) => {
      const { rows } = await pool.query({ name: nameOf(text), text, values: [...values] });
      return rows;
    },
    script: async (text) => {
      await pool.query(text);
    },
    close: () => pool.end(),
  };
}
