/**
 * A real PostgreSQL server for tests: the one that HOLDFAST_TEST_POSTGRES names, or the one from npm, started for a test file and
 * stopped after it.
 */
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package for this system; each is of 60 MB, so only the one that is needed is loaded, and only by tests that need it. */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux x86_64": "linux-x64",
  "linux aarch64": "linux-arm64",
  "darwin x86_64": "darwin-x64",
  "darwin aarch64": "darwin-arm64",
  "windows x86_64": "windows-x64",
};
const VERSION = "18.4.0-beta.17";
const SYSTEM = `${Deno.build.os} ${Deno.build.arch}`;

/** A user that is not root: the server refuses to run as root. */
const NOBODY = 65534;

/** A server that runs. */
export interface PostgresServer extends AsyncDisposable {
  /** The address of a database of its superuser. */
  readonly url: string;
  /** Ends it; `immediate` as a crash would. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Starts it again on its data. */
  start(): Promise<void>;
  /** From the next start on, it is a replica that can only be read. */
  makeStandby(): Promise<void>;
  /** Ends it, and all of its processes, by SIGKILL. */
  kill(): Promise<void>;
  /** A standby of it, which it waits for with each commit from now on. It must be in use by nobody. */
  startStandby(): Promise<PostgresServer>;
  /** Makes a primary of a standby. */
  promote(): Promise<void>;
}

/** Why there is no server here; `undefined` when there is one. HOLDFAST_TEST_POSTGRES=none does without. */
export function whyNoPostgres(): string | undefined {
  return isNamed() ? undefined : whyNotStarted();
}

/** Why none can be started here; `undefined` when one can. */
export function whyNotStarted(): string | undefined {
  if (Deno.env.get("HOLDFAST_TEST_POSTGRES") === "none") return "HOLDFAST_TEST_POSTGRES is none";
  if (PACKAGES[SYSTEM] !== undefined) return undefined;
  return `no PostgreSQL from npm for ${SYSTEM}; HOLDFAST_TEST_POSTGRES can name one`;
}

function isNamed(): boolean {
  return !["", "none"].includes(Deno.env.get("HOLDFAST_TEST_POSTGRES") ?? "");
}

/** Starts a server with these settings, such as `max_connections=200`. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const programs = await programsFolder();
  const folder = await Deno.makeTempDir({ prefix: "holdfast-postgres-" });
  const data = join(folder, "data");
  const isRoot = Deno.uid() === 0;
  if (isRoot) await Deno.chown(folder, NOBODY, NOBODY);
  const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const run = async (program: string, args: readonly string[]): Promise<void> => {
    const command = new Deno.Command(
      program.startsWith("/") ? program : join(programs, "bin", program),
      {
        args: [...args],
        cwd: folder,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
        ...owner,
      },
    );
    const { success, stderr } = await command.output();
    if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
  };
  await run("initdb", [
    "-D",
    data,
    "-U",
    "postgres",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--no-locale",
    "-N",
  ]);
  const server = serverOn({ folder, data, settings, run });
  await server.start();
  return server;
}

/** Where a server's data is, and how its programs are run. */
interface ServerPlace {
  readonly folder: string;
  readonly data: string;
  readonly settings: readonly string[];
  readonly run: (program: string, args: readonly string[]) => Promise<void>;
}

/** A server that is not started yet. */
function serverOn({ folder, data, settings, run }: ServerPlace): PostgresServer {
  const port = freePort();
  const log = `${data}.log`;
  const control = (...args: string[]): Promise<void> => run("pg_ctl", ["-D", data, "-w", ...args]);
  const startWith = (more: readonly string[]): Promise<void> => {
    const options = [
      ...[`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="],
      "fsync=off", // nothing here cuts the power, and what a killed process has written is there
      ...[...settings, ...more],
    ].map((setting) => `-c ${setting}`).join(" ");
    return control("-o", options, "-l", log, "start");
  };
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start: () => startWith([]),
    makeStandby: () => Deno.writeTextFile(join(data, "standby.signal"), ""),
    stop: (mode = "fast") => control("-m", mode, "stop"),
    kill: () => killAll(data),
    promote: () => control("promote"),
    startStandby: async () => {
      await control("-m", "fast", "stop");
      const copy = `${data}-standby`;
      await run("/bin/cp", ["-pR", data, copy]);
      const primary = `primary_conninfo = 'host=127.0.0.1 port=${port} user=postgres'\n`;
      await Deno.writeTextFile(join(copy, "postgresql.auto.conf"), primary, { append: true });
      await startWith(["synchronous_standby_names=*"]);
      const standby = serverOn({ folder: copy, data: copy, settings, run });
      await standby.makeStandby();
      await standby.start();
      return standby;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await control("-m", "immediate", "stop").catch(() => {}); // it may be stopped already
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The processes of a server, its parent first. */
async function killAll(data: string): Promise<void> {
  const [pid] = (await Deno.readTextFile(join(data, "postmaster.pid"))).split("\n");
  const { stdout } = await new Deno.Command("pgrep", { args: ["-P", pid!] }).output();
  const children = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  for (const each of [pid!, ...children]) {
    try {
      Deno.kill(Number(each), "SIGKILL");
    } catch {
      // it has ended by itself
    }
  }
}

/** Ends a server and removes its data. */
export async function removePostgres(server: PostgresServer): Promise<void> {
  await server[Symbol.asyncDispose]();
}

/** The package unpacked where another user may read it, complete with its links, which npm cannot hold. */
async function programsFolder(): Promise<string> {
  const target = join(tmpdir(), `holdfast-postgres-${VERSION}`);
  const isThere = await Deno.stat(target).then(() => true, () => false);
  if (isThere) return target;
  const packaged = dirname(dirname(await postgresOfPackage()));
  const scratch = await Deno.makeTempDir({ prefix: "holdfast-postgres-" });
  await copyFolder(packaged, scratch);
  await makeLinks(scratch);
  if (Deno.build.os !== "windows") await Deno.chmod(scratch, 0o755);
  await Deno.rename(scratch, target).catch(() => {}); // another test may have been faster
  return target;
}

/** The path of the server's program as npm has it. */
async function postgresOfPackage(): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", `--lock=${join(here, "postgres_package.lock")}`, "--allow-all"],
      join(here, "postgres_package.ts"),
      ...[PACKAGES[SYSTEM]!, VERSION],
    ],
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`PostgreSQL cannot be loaded: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).trim();
}

/** A link and what it leads to stand in the same folder. */
async function makeLinks(folder: string): Promise<void> {
  const list = join(folder, "pg-symlinks.json");
  const links = JSON.parse(await Deno.readTextFile(list).catch(() => "[]")) as Link[];
  for (const { source, target } of links) {
    const path = join(folder, target.replace(/^native\//, ""));
    await Deno.symlink(basename(source), path).catch(() => {}); // it may be in the package
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await copyProgram(join(from, name), join(to, name));
  }
}

async function copyProgram(from: string, to: string): Promise<void> {
  await Deno.copyFile(from, to);
  if (Deno.build.os !== "windows") await Deno.chmod(to, 0o755);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
