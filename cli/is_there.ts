/**
 * Whether a file or a folder is there.
 */

/** Whether a path names something. @throws what keeps it from being looked at */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}
