/**
 * What goes into the binary: the modules of the program and the packages that they import, without the builds of sql.js
 * that are never loaded and without sources and packages that only tests need. `deno compile` embeds all of them unasked.
 */
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

/** What is embedded, and what is kept out. */
export interface EmbeddingPlan {
  /** Folders and files for `--exclude`. */
  readonly excluded: readonly string[];
  /** The program's own modules: how many, and their sizes together in bytes. */
  readonly modules: EmbeddedFiles;
  /** The files of packages. */
  readonly packages: EmbeddedFiles;
  /** The packages that are needed, by name and version, with their folders. */
  readonly packageFolders: ReadonlyMap<string, string>;
}

/** Files that are embedded. */
export interface EmbeddedFiles {
  readonly files: number;
  readonly bytes: number;
}

/** The parts of `deno info --json` that are used. */
interface ModuleGraph {
  readonly modules: readonly { readonly specifier: string; readonly size?: number }[];
  readonly npmPackages: Readonly<
    Record<string, {
      readonly name: string;
      readonly version: string;
      readonly dependencies: readonly string[];
      readonly localPath: string;
    }>
  >;
}

/** Of sql.js's builds only this one is loaded. */
const SQLJS_BUILD = "sql-wasm-inline.js";

/** Folders of packages that hold what their other files were made of, or the same for browsers. */
const UNUSED_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  hono: [
    "dist/adapter",
    "dist/cjs",
    "dist/client",
    "dist/middleware",
    "dist/types",
    "dist/utils/jwt",
  ],
  zod: ["src"],
  yaml: ["browser"],
  "@logtape/logtape": ["src", "skills"],
};

/** What the binary of `entry` will hold. Downloads nothing. */
export async function planEmbedding(entry: string): Promise<EmbeddingPlan> {
  const graph = await moduleGraph(entry);
  const needed = neededPackages(graph);
  const excluded: string[] = [];
  const packageFolders = new Map<string, string>();
  for (const [key, { name, version, localPath }] of Object.entries(graph.npmPackages)) {
    if (!needed.has(key)) excluded.push(localPath);
    else {
      packageFolders.set(`${name}@${version}`, localPath);
      excluded.push(...await unusedParts(name, localPath));
    }
  }
  const own = graph.modules.filter(({ specifier }) => specifier.startsWith("file:"));
  const isExcluded = new Set(excluded);
  const sizes = await Promise.all(
    [...packageFolders.values()].map((folder) => filesIn(folder, isExcluded)),
  );
  return {
    excluded,
    packageFolders,
    modules: { files: own.length, bytes: own.reduce((sum, { size }) => sum + (size ?? 0), 0) },
    packages: {
      files: sizes.reduce((sum, { files }) => sum + files, 0),
      bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  };
}

async function moduleGraph(entry: string): Promise<ModuleGraph> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // as a URL: of C:\\… the letter would be taken for a scheme
    args: ["info", "--json", pathToFileURL(entry).href],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** The packages that a module of the graph imports, and all that they depend on. */
function neededPackages({ modules, npmPackages }: ModuleGraph): Set<string> {
  const needed = new Set<string>();
  const visit = (key: string): void => {
    if (needed.has(key)) return;
    needed.add(key);
    npmPackages[key]?.dependencies.forEach(visit);
  };
  for (const { specifier } of modules) {
    const id = /^npm:\/?((?:@[^/]+\/)?[^/]+)/.exec(specifier)?.[1];
    if (id === undefined) continue;
    const keys = Object.keys(npmPackages).filter((key) => key === id || key.startsWith(`${id}_`));
    if (keys.length === 0) throw new Error(`${specifier} is not among the packages`);
    keys.forEach(visit);
  }
  return needed;
}

async function unusedParts(name: string, folder: string): Promise<string[]> {
  const folders = (UNUSED_FOLDERS[name] ?? []).map((part) => join(folder, part));
  const parts: string[] = [];
  for (const path of folders) if (await isThere(path)) parts.push(path);
  if (name !== "sql.js") return parts;
  const dist = join(folder, "dist");
  for await (const entry of Deno.readDir(dist)) {
    if (entry.name !== SQLJS_BUILD) parts.push(join(dist, entry.name));
  }
  return parts.sort();
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

async function filesIn(folder: string, excluded: ReadonlySet<string>): Promise<EmbeddedFiles> {
  let [files, bytes] = [0, 0];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (excluded.has(path)) continue;
    const found = entry.isDirectory
      ? await filesIn(path, excluded)
      : { files: 1, bytes: (await Deno.stat(path)).size };
    files += found.files;
    bytes += found.bytes;
  }
  return { files, bytes };
}

/** `folder` without what is excluded, in `target`: what the binary will find of a package. */
export async function copyEmbedded(
  folder: string,
  target: string,
  excluded: ReadonlySet<string>,
): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (excluded.has(path)) continue;
    if (entry.isDirectory) await copyEmbedded(path, join(target, basename(path)), excluded);
    else await Deno.copyFile(path, join(target, entry.name));
  }
}
