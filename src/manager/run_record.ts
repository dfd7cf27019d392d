/**
 * Run records: the lines of a history file, one run each, with the names of the HTTP API.
 *
 * The first line says what the file is, the last how many runs it holds; without that last line it was cut short.
 */
import { z } from "zod";
import { type Run, RUN_STATUSES } from "../domain/run.ts";

/** The readable part of a history. */
export interface ReadHistory {
  /** The runs, in the order of the file. */
  readonly runs: Run[];
  /** The file's problem, or `null`. */
  readonly damage: string | null;
  /** Why it is not a history that this program may replace, or `null` when it is. */
  readonly foreign: string | null;
}

const VERSION = 1;

/** The first line of a history. */
export const HISTORY_HEADER: string = JSON.stringify({ holdfast_runs: VERSION });

const HEADER = z.object({ holdfast_runs: z.number() });
const END = z.object({ end: z.int() });

const INSTANT = z.iso.datetime().transform((text) => new Date(text));

const RECORD = z.object({
  run_id: z.string().min(1),
  module_id: z.string().min(1),
  module_name: z.string(),
  status: z.enum(RUN_STATUSES),
  created_at: INSTANT,
  started_at: INSTANT.nullable(),
  completed_at: INSTANT.nullable(),
  duration_seconds: z.number().nullable(),
  progress_percent: z.number().nullable(),
  exit_code: z.number().nullable(),
  error_message: z.string().nullable(),
  parameters: z.unknown(),
  result: z.unknown(),
  attempts: z.number(),
  priority: z.number(),
});

/** The last line of a history of `count` runs. */
export function endLine(count: number): string {
  return JSON.stringify({ end: count });
}

/** A run as a line. @throws TypeError, RangeError when its fields cannot be written as JSON. */
export function lineOfRun(run: Run): string {
  return JSON.stringify({
    run_id: run.runId,
    module_id: run.moduleId,
    module_name: run.moduleName,
    status: run.status,
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    completed_at: run.completedAt?.toISOString() ?? null,
    duration_seconds: run.durationSeconds,
    progress_percent: run.progressPercent,
    exit_code: run.exitCode,
    error_message: run.errorMessage,
    parameters: run.parameters ?? null,
    result: run.result ?? null,
    attempts: run.attempts,
    priority: run.priority,
  });
}

/**
 * Reads what can be read: a damaged line costs its own run and no other. A file is a history when its first line says so or is
 * the begin of such a line, when a line in it is one of ours, or when a power cut left nothing but zeros.
 */
export function readHistory(bytes: Uint8Array<ArrayBuffer>): ReadHistory {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const lines = linesOf(bytes).map((line, index) => parseLine(decoder, line, index));
  const header = HEADER.safeParse(lines[0]?.value).data;
  if (header !== undefined && header.holdfast_runs !== VERSION) {
    return refuse(`it is of version ${header.holdfast_runs}, and ${VERSION} is the newest known`);
  }
  const end = END.safeParse(lines.at(-1)?.value).data;
  const body = lines.slice(header === undefined ? 0 : 1, end === undefined ? undefined : -1);
  const runs: Run[] = [];
  const problems: string[] = header === undefined ? ["line 1 is not its first line"] : [];
  for (const { number, value } of body) {
    const record = RECORD.safeParse(value);
    if (record.success) runs.push(runOfRecord(record.data));
    else problems.push(`line ${number} is not a run`);
  }
  if (end === undefined) problems.push("its end is missing");
  else if (end.end !== body.length) {
    problems.push(`${body.length} of its ${end.end} lines are left`);
  }
  const isOurs = header !== undefined || end !== undefined || runs.length > 0 || isRest(bytes);
  if (!isOurs) return refuse("it is not a run history; give the path of one, or of no file");
  return { runs, damage: describe(problems), foreign: null };
}

function refuse(foreign: string): ReadHistory {
  return { runs: [], damage: null, foreign };
}

/** Whether a power cut may have left this of a history. */
function isRest(bytes: Uint8Array): boolean {
  const begin = new TextEncoder().encode(HISTORY_HEADER);
  return bytes.every((byte) => byte === 0) ||
    bytes.length <= begin.length && bytes.every((byte, i) => byte === begin[i]);
}

interface Line {
  /** From 1. */
  readonly number: number;
  /** `undefined` when it is not JSON. */
  readonly value: unknown;
}

/** The lines, to be decoded one by one: a byte that is not UTF-8 spoils its own line only. */
function linesOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const lines: Uint8Array<ArrayBuffer>[] = [];
  for (let begin = 0; begin < bytes.length;) {
    const found = bytes.indexOf(LINE_BREAK, begin);
    const end = found === -1 ? bytes.length : found;
    // A copy: decoding a view of a large buffer costs as much as the whole buffer.
    lines.push(bytes.slice(begin, end));
    begin = end + 1;
  }
  return lines;
}

const LINE_BREAK = 10;

function parseLine(decoder: TextDecoder, bytes: Uint8Array<ArrayBuffer>, index: number): Line {
  try {
    return { number: index + 1, value: JSON.parse(decoder.decode(bytes)) };
  } catch {
    return { number: index + 1, value: undefined };
  }
}

function runOfRecord(record: z.output<typeof RECORD>): Run {
  return {
    runId: record.run_id,
    moduleId: record.module_id,
    moduleName: record.module_name,
    parameters: record.parameters,
    createdAt: record.created_at,
    status: record.status,
    startedAt: record.started_at,
    completedAt: record.completed_at,
    durationSeconds: record.duration_seconds,
    exitCode: record.exit_code,
    errorMessage: record.error_message,
    result: record.result,
    progressPercent: record.progress_percent,
    attempts: record.attempts,
    priority: record.priority,
  };
}

function describe(problems: readonly string[]): string | null {
  const [first, ...others] = problems;
  if (first === undefined) return null;
  return others.length === 0 ? first : `${first}, and ${others.length} more problems`;
}
