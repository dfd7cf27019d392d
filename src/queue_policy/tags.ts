/**
 * Tags: what a task can be found by, in the form of their column and of their rows.
 *
 * The column holds what callers gave as JSON, in order and each once, so that two orders of the same tags are one value; it is null
 * for none. Each engine also keeps a row for each tag of each task, by which lists and bulk actions find tasks.
 */
import { checkArray, checkInteger, checkName } from "../domain/check.ts";
import { TASK_LIMITS } from "../domain/task.ts";

/** Checks tags; the text of their column. @throws TypeError, RangeError */
export function textOfTags(
  given: unknown,
  checkString: typeof checkName = checkName,
): string | null {
  const array = checkArray(given as readonly unknown[], "tags", "strings");
  checkInteger(array.length, "number of tags", 0, TASK_LIMITS.tagsMax);
  const tags = array.map((tag) => checkTag(tag, checkString));
  return tags.length === 0 ? null : JSON.stringify([...new Set(tags)].sort());
}

/** Checks a tag. @throws TypeError */
export function checkTag(tag: unknown, checkString: typeof checkName = checkName): string {
  return checkString(tag, "tag", TASK_LIMITS.tagMaxLength);
}

/** The tags in their column. */
export function tagsOfText(text: string | null): readonly string[] {
  return text === null ? [] : JSON.parse(text) as string[];
}

/** Which tags a change of their column takes from a task, and which it adds. */
export function changedTags(
  before: string | null,
  after: string | null,
): { readonly removed: readonly string[]; readonly added: readonly string[] } {
  const [was, is] = [tagsOfText(before), tagsOfText(after)];
  return {
    removed: was.filter((tag) => !is.includes(tag)),
    added: is.filter((tag) => !was.includes(tag)),
  };
}
