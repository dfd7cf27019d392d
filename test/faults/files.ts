/**
 * The files of a queue, to look at and to damage.
 */
import { basename, dirname, join } from "node:path";

/** Copies the files of the queue at `from` to the queue at `to`. */
export async function copyQueue(from: string, to: string): Promise<void> {
  for await (const { name } of Deno.readDir(dirname(from))) {
    await Deno.copyFile(join(dirname(from), name), join(dirname(to), name));
  }
}

/**
 * What stands in every file beside `path` but the locks, by name: its length and a digest, short enough to be shown when it
 * differs. An empty snapshot is none: it holds the place of one.
 */
export async function contentsOf(path: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  const entries = await Array.fromAsync(Deno.readDir(dirname(path)));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (isDirectory) contents.set(name, "folder");
    else if (!name.endsWith(".lock")) {
      const bytes = await Deno.readFile(join(dirname(path), name));
      if (bytes.length > 0 || name !== basename(path)) contents.set(name, await describe(bytes));
    }
  }
  return contents;
}

/** The paths of the journal's segments, the oldest first. */
export async function journalsOf(path: string): Promise<string[]> {
  const start = `${basename(path)}.journal-`;
  const entries = await Array.fromAsync(Deno.readDir(dirname(path)));
  return entries.filter(({ name }) => name.startsWith(start))
    .sort((a, b) => Number(a.name.slice(start.length)) - Number(b.name.slice(start.length)))
    .map(({ name }) => join(dirname(path), name));
}

async function describe(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${bytes.length} bytes, SHA-256 ${digest.toHex()}`;
}

/** Changes the bytes of a file in place. */
export async function edit(path: string, change: (bytes: Uint8Array) => void): Promise<void> {
  const bytes = await Deno.readFile(path);
  change(bytes);
  await Deno.writeFile(path, bytes);
}
