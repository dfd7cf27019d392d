/**
 * A transaction of the caller's, on a connection of its own driver: what `enqueue` joins.
 */
import type { DatabaseError, Parameter, Row, Statements } from "../postgres_queue/rows/database.ts";

/** What is needed of a client of npm `pg`, or of what wraps one. */
interface Client {
  query(request: {
    readonly text: string;
    readonly values: readonly Parameter[];
    readonly types: unknown;
  }): Promise<{ readonly rows: Row[] }>;
}

/**
 * Statements on the caller's connection, one after the other.
 *
 * @throws TypeError when `tx` is no client of npm `pg`.
 */
export function callersStatements(
  tx: object,
  { types, errorOf }: {
    readonly types: unknown;
    readonly errorOf: (error: unknown) => DatabaseError;
  },
): Statements {
  const client = tx as Partial<Client>;
  if (typeof client.query !== "function") {
    throw new TypeError("Cannot use tx: a connected client of npm pg is needed, with its query");
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    query: (text, values = []) => {
      const run = async (): Promise<Row[]> => {
        try {
          return (await (client as Client).query({ text, values, types })).rows;
        } catch (error) {
          throw errorOf(error);
        }
      };
      const answer = last.then(run, run);
      last = answer;
      return answer;
    },
  };
}
