/**
 * Paths of files, as callers give them.
 */
import { quotePath } from "./errors.ts";
import { shownValue } from "./shown_value.ts";

/** What may be meant as a path and would make a file of an odd name. */
const MISTAKEN: readonly (readonly [RegExp, string])[] = [
  [/^\s*$/, "it is blank"],
  [
    /^:memory:$/,
    "it is SQLite's name for no file; openQueue({ memory: true }) keeps a queue in memory",
  ],
  [/^file:/i, "it is a URL; give the path of a file"],
  [/^postgres(ql)?:\/?(?!\/)/i, "the address of a database begins with postgres://"],
  [/^postgres(ql)?:\/\//i, "it is the address of a database, and a path is needed"],
  [
    /^(mysql|mariadb|redis|rediss|mongodb|sqlserver|https?):\/\//i,
    "of servers, only PostgreSQL holds a queue",
  ],
  [/^~[\\/]/, "only a shell knows ~; give the path of the home folder"],
];

/** `path` as it is. @throws TypeError when it cannot be meant as the path of a file. */
export function checkPath(path: unknown, what: string): string {
  if (typeof path !== "string") {
    throw new TypeError(
      `Cannot use ${shownValue(path)} as ${what}: a path is needed`,
    );
  }
  const [, mistake] = MISTAKEN.find(([pattern]) => pattern.test(path)) ?? [];
  if (mistake === undefined) return path;
  throw new TypeError(`Cannot use ${quotePath(path)} as ${what}: ${mistake}`);
}
