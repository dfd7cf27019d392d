/**
 * The demo's workers: real processes of the command line, and what they said.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const CONFIG = join(CHECKOUT, "deno.json");
const CLI = join(CHECKOUT, "cli", "main.ts");
const HANDLERS = join(CHECKOUT, "examples", "handlers.ts");

/** A worker's word that it finished a task. */
export interface Completion {
  readonly taskId: number;
  readonly attempt: number;
  readonly workerId: string;
}

/** How the workers are started. */
export interface WorkerProcessOptions {
  readonly workerId: string;
  /** The queue's path. */
  readonly db: string;
  readonly leaseMs: number;
}

/** A worker in a process of its own. */
export class WorkerProcess {
  readonly workerId: string;
  readonly #child: Deno.ChildProcess;
  readonly #completions: Completion[] = [];
  readonly #remarks: string[] = [];
  readonly #said: Promise<void>;

  constructor({ workerId, db, leaseMs }: WorkerProcessOptions) {
    this.workerId = workerId;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        `--config=${CONFIG}`,
        "--allow-read",
        "--allow-env",
        `--allow-write=${dirname(db)}`,
        CLI,
        ...["worker", "--db", db, "--handlers", HANDLERS, "--worker-id", workerId],
        ...["--lease-ms", String(leaseMs), "--until-empty"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#said = this.#listen(this.#child.stderr);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Every completion that it reported; whole once `ended` has resolved. */
  get completions(): readonly Completion[] {
    return this.#completions;
  }

  /** Everything else that it said. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }

  /** Resolves to its exit code when it has ended and everything it said was read. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#said;
    return code;
  }

  /** Kills it without any warning. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  async #listen(stderr: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? "";
      lines.forEach((line) => this.#note(line));
    }
    if (rest !== "") this.#note(rest);
  }

  #note(line: string): void {
    const match = /^completed task (\d+) checksum \(attempt (\d+)\)$/.exec(line);
    if (match === null) return void this.#remarks.push(line);
    const [, taskId, attempt] = match;
    this.#completions.push({
      taskId: Number(taskId),
      attempt: Number(attempt),
      workerId: this.workerId,
    });
  }
}

/** Downloads what the workers need, once, so that they do not all do it at the same time. */
export async function prepareWorkers(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", `--config=${CONFIG}`, CLI, HANDLERS],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("the workers' packages cannot be loaded");
}
