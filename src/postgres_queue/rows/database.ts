/**
 * The port to a PostgreSQL server: statements, transactions, notifications. The queue's engine needs no more of a driver.
 *
 * No statement depends on the state of a session, so that a pooler may give each transaction another connection.
 */

/** A value in a row or of a parameter; integers of 64 bits are numbers. */
export type SqlValue = string | number | boolean | null;

/** A parameter of a statement, `$1` and on; an array is an array there, too. */
export type Parameter = SqlValue | readonly SqlValue[];

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, SqlValue>>;

/** Runs statements. */
export interface Statements {
  /** Runs one statement; its rows. @throws DatabaseError */
  query(text: string, parameters?: readonly Parameter[]): Promise<Row[]>;
}

/** How much a transaction sees of what others commit meanwhile: what is there when a statement begins, or when it began itself. */
export type Isolation = "read committed" | "repeatable read";

/** Stops listening. */
export type StopListening = () => Promise<void>;

/** Hears what is sent to a channel. */
export interface ChannelListeners {
  readonly onMessage: (text: string) => void;
  /** It is listened to from now on. */
  readonly onConnected: () => void;
  /** The connection was lost: what is sent until `onConnected` comes again is not heard. */
  readonly onLost: () => void;
}

/** A database on a server, reached by a pool of connections. */
export interface Database extends Statements {
  /** Where it is, for messages: host, port and name, and no secret. */
  readonly location: string;
  /**
   * Runs statements on one connection: those that are not awaited one by one are sent together and run in their order, each
   * in a transaction of its own.
   */
  inOrder<T>(run: (statements: Statements) => Promise<T>): Promise<T>;
  /**
   * Runs `run` in one transaction: committed when it resolves, undone when it rejects. `serverMs` is the server's clock when
   * it began, in milliseconds since 1970. Statements run in their order, as in `inOrder`. @throws DatabaseError; with `isInDoubt` when the answer to the commit was lost.
   */
  transaction<T>(
    run: (tx: Statements, serverMs: number) => Promise<T>,
    isolation?: Isolation,
  ): Promise<T>;
  /** Statements within a transaction that the caller began on a connection of its own. @throws TypeError when `tx` is none. */
  joined(tx: object): Statements;
  /** Calls `onMessage` with what is sent to `channel`, over a connection of its own that is made again while there is none. */
  listen(channel: string, listeners: ChannelListeners): Promise<StopListening>;
  /** Lets statements that are under way end, and closes every connection. */
  close(): Promise<void>;
}

/** The server refused a statement, or could not be reached. */
export class DatabaseError extends Error {
  /** `DatabaseError`. */
  override readonly name = "DatabaseError";
  /** The server's SQLSTATE, such as `40001`; the system's code when there was no server, such as `ECONNREFUSED`. */
  readonly code: string;
  /** Whether there is no connection: it was lost, or none could be made. */
  readonly isConnectionLost: boolean;
  /** Whether the answer was lost to what may have been committed: a single statement, or a commit. */
  readonly isInDoubt: boolean;

  /** What went wrong, without any secret. */
  constructor(
    code: string,
    message: string,
    { isConnectionLost = false, isInDoubt = false, cause }: {
      readonly isConnectionLost?: boolean;
      readonly isInDoubt?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.isConnectionLost = isConnectionLost;
    this.isInDoubt = isInDoubt;
  }

  /** Whether the server undid the transaction because of another one, so that it can be run again. */
  get isConflict(): boolean {
    return ["40001", "40P01", "55P03"].includes(this.code);
  }

  /** The same error of a transaction that was not committed. */
  undone(): DatabaseError {
    const { code, message, isConnectionLost, cause } = this;
    return new DatabaseError(code, message, { isConnectionLost, cause });
  }
}
