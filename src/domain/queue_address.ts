/**
 * Addresses of databases, which stand where else the path of a queue's file does. A password in one is never shown.
 */

/** Whether this names a database, and not a file. */
export function isDatabaseAddress(where: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(where);
}

/** The path, or the address without its password: for messages, logs and documents. */
export function shownPath(where: string): string {
  if (!isDatabaseAddress(where)) return where;
  return where
    .replace(/^([^:]+:\/\/[^:@/?#]*):.*@/s, "$1@")
    .replace(/([?&][^=&]*pass[^=&]*=)[^&]*/gi, "$1***");
}
