/**
 * What all commands share: the global options, the session they make, and how its exit code comes out.
 */
import type { Command } from "@commander-js/extra-typings";
import {
  isDatabaseAddress,
  messageOf,
  openLogStore,
  openProject,
  openQueue,
  type Project,
  PROJECT_VARIABLES,
  type QueueOptions,
  type QueueSettings,
  type ResolvedProject,
  shownPath,
  StorageError,
  type TaskQueue,
} from "../src/mod.ts";
import { type Desk, localDesk } from "./queue_access.ts";
import { checkedInput, OpenError, UsageError } from "./exit.ts";
import type { CliIo } from "./io.ts";
import { remoteDesk, type RemoteOptions, withRemoteQueue } from "./remote_access.ts";
import { shellWord } from "./shell_quoting.ts";
import { chooseStyle, statusStyle, type Style } from "./style.ts";
import { tableOf } from "./table.ts";
import { printableJson } from "./task_text.ts";

/** Options that every command has, before or after its name. */
export type GlobalOptions = {
  db?: string;
  config?: string;
  url?: string;
  token?: string;
  json?: true;
};

/** The command line before its commands are added. */
export type Program = Command<[], GlobalOptions>;

/** How a command refers to a task. */
export const ID_HELP = "a task id, or a run id (run:… forces a run id)";

/** The columns of tables that are never cut: values that users type again, or search for. */
const WHOLE_COLUMNS = ["id", "status"];

/** One invocation: where it works and how it answers. */
export interface Session {
  readonly io: CliIo;
  /** What the project around it says. */
  readonly project: Project;
  /** What is in force, before the command's own options. */
  readonly resolved: ResolvedProject;
  /** The queue's path, or its address, which may hold a password. */
  readonly dbPath: string;
  /** The same as it may be shown. */
  readonly dbName: string;
  /** The server to ask in place of files; `null` for files. */
  readonly server: RemoteOptions | null;
  /** Whether it was asked for with `--url`, not by the environment. */
  readonly isServerAsked: boolean;
  /** Answer with one JSON document on standard output. */
  readonly json: boolean;
  /** How to write on standard output. */
  readonly style: Style;
}

/** Runs the work of the command that was chosen and keeps its exit code. */
export interface App {
  run(globals: GlobalOptions, work: (session: Session) => Promise<number>): Promise<void>;
}

/**
 * The session that the global options ask for, in the project around it.
 *
 * @throws UsageError when `--db` is empty, or contradicts `--url`, or the project's file or a variable is wrong.
 */
export async function createSession(io: CliIo, globals: GlobalOptions): Promise<Session> {
  if (globals.db?.trim() === "") throw new UsageError("--db needs the path of a queue");
  if (globals.db !== undefined && globals.url !== undefined) {
    throw new UsageError(
      "--db and --url contradict each other: a queue is files, or behind a server",
    );
  }
  const project = await projectAround(io, globals);
  const resolved = await checkedInput(() => project.resolve({ db: globals.db }));
  const dbPath = resolved.config.db;
  return {
    ...{ io, project, resolved },
    server: globals.db === undefined ? serverOf(io, globals) : null,
    isServerAsked: globals.url !== undefined,
    dbPath,
    dbName: shownPath(dbPath),
    json: globals.json ?? false,
    style: chooseStyle(io.outIsTerminal, io.environment),
  };
}

function projectAround(io: CliIo, { config }: GlobalOptions): Promise<Project> {
  const env = Object.fromEntries(PROJECT_VARIABLES.map((name) => [name, io.environment(name)]));
  return checkedInput(() => openProject({ file: config, folder: io.folder, env }));
}

function serverOf(io: CliIo, { url, token }: GlobalOptions): RemoteOptions | null {
  const address = url ?? (io.environment("HOLDFAST_URL") || undefined);
  if (address === undefined) return null;
  return { url: address, token: token ?? (io.environment("HOLDFAST_TOKEN") || undefined) };
}

/** Opens the session's queue, or makes it, does `work`, and closes the queue. @throws OpenError when it cannot be opened. */
export function withQueue<T>(
  session: Session,
  work: (queue: TaskQueue) => Promise<T>,
  settings: QueueSettings = {},
): Promise<T> {
  refuseServer(session);
  return withOpenQueue({ ...settingsOf(session), ...settings, path: session.dbPath }, work);
}

/** The same for a queue that must be there: a mistyped path makes no new one. @throws OpenError */
export function withExistingQueue<T>(
  session: Session,
  work: (queue: TaskQueue) => Promise<T>,
): Promise<T> {
  refuseServer(session);
  return withOpenQueue(
    { ...settingsOf(session), path: session.dbPath, mustExist: true },
    work,
  );
}

/**
 * The same for work that only reads: it needs no permission to write and no room on the disk, and leaves the files as they
 * are. A queue of an older Holdfast is opened as for any other work, which upgrades it. @throws OpenError
 */
export async function withQueueToRead<T>(
  session: Session,
  work: (queue: TaskQueue) => Promise<T>,
): Promise<T> {
  refuseServer(session);
  const options = { ...settingsOf(session), path: session.dbPath, mustExist: true };
  try {
    return await withOpenQueue({ ...options, readOnly: true }, work);
  } catch (thrown) {
    const isOld = thrown instanceof OpenError && thrown.cause instanceof StorageError &&
      thrown.cause.operation === "upgrade";
    if (!isOld) throw thrown;
    return await withOpenQueue(options, work);
  }
}

/** Does `work`, which only reads, with the server that was named, or with the session's queue. @throws OpenError */
export async function withDeskToRead<T>(
  session: Session,
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  if (session.server !== null) return await atRemoteDesk(session.server, work);
  return await withQueueToRead(session, (queue) => atLocalDesk(session, queue, work));
}

/**
 * Does `work` with the server that was named, or with the session's queue, which must be there unless `mayMake`.
 *
 * @throws OpenError
 */
export async function withDesk<T>(
  session: Session,
  work: (desk: Desk) => Promise<T>,
  { mayMake = false }: { readonly mayMake?: boolean } = {},
): Promise<T> {
  if (session.server !== null) return await atRemoteDesk(session.server, work);
  const open = mayMake ? withQueue : withExistingQueue;
  return await open(session, (queue) => atLocalDesk(session, queue, work));
}

function atRemoteDesk<T>(server: RemoteOptions, work: (desk: Desk) => Promise<T>): Promise<T> {
  return withRemoteQueue(server, (queue) => work(remoteDesk(queue)));
}

async function atLocalDesk<T>(
  session: Session,
  queue: TaskQueue,
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  const logs = openLogStore(session.dbPath);
  try {
    return await work(localDesk(queue, logs));
  } finally {
    await logs.close();
  }
}

/**
 * Call it where a command works on files: it must not work on others than those that the user means.
 *
 * @throws UsageError when a server was named by `--url`, or by HOLDFAST_URL without `--db`.
 */
export function refuseServer({ isServerAsked, server }: Session): void {
  if (isServerAsked) throw new UsageError("this works on a queue's files: it takes no --url");
  if (server === null) return;
  throw new UsageError(
    "this works on a queue's files, and HOLDFAST_URL names a server: name the files by --db PATH, or unset HOLDFAST_URL",
  );
}

/** What the project says of every process that opens its queue. */
function settingsOf({ resolved }: Session): QueueSettings {
  const { durability, payloadMaxBytes, memoryMaxBytes } = resolved.config;
  return { durability, payloadMaxBytes, memoryMaxBytes };
}

async function withOpenQueue<T>(
  options: QueueOptions,
  work: (queue: TaskQueue) => Promise<T>,
): Promise<T> {
  const queue = await openSessionQueue(options);
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

async function openSessionQueue(options: QueueOptions): Promise<TaskQueue> {
  try {
    return await openQueue(options);
  } catch (thrown) {
    if (isMistakenAddress(options, thrown)) throw new UsageError(messageOf(thrown));
    throw new OpenError(messageOf(thrown), { cause: thrown });
  }
}

function isMistakenAddress({ path }: QueueOptions, thrown: unknown): boolean {
  const isMistake = thrown instanceof TypeError || thrown instanceof RangeError;
  return isMistake && path !== undefined && isDatabaseAddress(path);
}

/** Call it where a command works on a queue's own files. @throws UsageError for a queue on a database */
export function refuseDatabase({ dbPath }: Session, instead: string): void {
  if (!isDatabaseAddress(dbPath)) return;
  throw new UsageError(
    `this works on a queue's own files, and this one is on a database: ${instead}`,
  );
}

/** Answers with a JSON document. */
export function writeJson(session: Session, document: unknown): void {
  session.io.writeOut(printableJson(document) + "\n");
}

/** A table as an answer. */
export interface AnswerTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The columns that hold a status, a verdict or a state, which give them their colour. */
  readonly statusColumns?: readonly string[];
  /** Whether the head is written into a pipe too; default false. */
  readonly pipesHead?: boolean;
}

/** Answers with a table that fits the terminal, or in a pipe with tab-separated lines of which nothing is cut. */
export function writeTable(session: Session, table: AnswerTable): void {
  const { io, style } = session;
  const { head, rows, statusColumns = ["status"], pipesHead = false } = table;
  const paint = (cell: string, column: string): string =>
    statusColumns.includes(column) ? statusStyle(style, cell)(cell) : cell;
  if (io.outIsTerminal) {
    const options = { width: io.outColumns(), whole: WHOLE_COLUMNS, paintHead: style.bold, paint };
    return writeLine(session, tableOf(head, rows, options));
  }
  const lines = rows.map((row) => row.map((cell, index) => paint(cell, head[index]!)));
  for (const cells of pipesHead ? [head, ...lines] : lines) writeLine(session, cells.join("\t"));
}

/** Answers with a line for people and nothing with `--json`. */
export function writeLine(session: Session, text: string): void {
  if (!session.json) session.io.writeOut(text + "\n");
}

/** Says where the next page begins, if there is one. */
export function noteNextPage(session: Session, cursor: string | null): void {
  if (cursor !== null) {
    writeNote(session, `the next ones: --cursor ${shellWord(cursor, Deno.build.os === "windows")}`);
  }
}

/** Says something that is not the answer. */
export function writeNote(session: Session, text: string): void {
  session.io.writeErr(text + "\n");
}
