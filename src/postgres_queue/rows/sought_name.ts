/**
 * Names that are looked for, as the database is given them.
 */
import { isName } from "../../domain/check.ts";

/** `name`, or `null`, which equals nothing, for what is no name: some of it the server cannot read, such as NUL. */
export function soughtName(name: string): string | null {
  return isName(name) ? name : null;
}
