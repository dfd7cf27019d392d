/**
 * The library's own log on standard error: one line per record, with its properties as JSON.
 */
import { configure, type LogLevel, type LogRecord, reset } from "@logtape/logtape";
import { type Session, writeNote } from "./app.ts";
import { printable } from "./task_text.ts";

/** What `--log-level` takes, the most talkative first. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** What `--log-level` takes. */
export type LogLevelName = typeof LOG_LEVELS[number] & LogLevel;

/** Does `work` while records of `level` and above are written; without a level none is. */
export async function withLogOutput<T>(
  session: Session,
  level: LogLevelName | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (level === undefined) return await work();
  await configure({
    reset: true,
    sinks: { stderr: (record) => writeNote(session, recordText(record)) },
    loggers: [
      { category: "holdfast", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  try {
    return await work();
  } finally {
    await reset();
  }
}

function recordText({ timestamp, level, category, message, properties }: LogRecord): string {
  const at = new Date(timestamp).toISOString();
  const text = message.map(String).join("");
  return printable(
    `${at} ${level} ${category.join(".")} ${text} ${JSON.stringify(properties)}`,
  );
}
