/**
 * `holdfast backend`: which back end an application with this environment gets, why, and how to switch.
 */
import {
  isDatabaseAddress,
  messageOf,
  migrateQueue,
  openQueue,
  resolveTaskExecutionConfig,
  shownPath,
  TASK_EXECUTION_VARIABLES,
  type TaskExecutionConfig,
  type TaskStatus,
} from "../../src/mod.ts";
import { type App, type Program, type Session, writeJson, writeLine } from "../app.ts";
import { type BackendCommands, backendCommands, SHELLS } from "../backend_commands.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT, UsageError } from "../exit.ts";
import { printable } from "../task_text.ts";
import { isThere } from "../is_there.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment asks for: a configuration, or why it is not valid. */
interface Asked {
  readonly config: TaskExecutionConfig | null;
  readonly problem: string | null;
}

interface QueueState {
  readonly path: string;
  readonly state: "usable" | "missing" | "unusable";
  readonly problem: string | null;
  readonly total: number;
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
}

const NO_TASKS: Readonly<Record<TaskStatus, number>> = Object.freeze({
  queued: 0,
  leased: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
});

/** Adds the command. Exit code 1: an application would not start, or not with the back end that was asked for. */
export function addBackendCommand(program: Program, app: App): void {
  program.command("backend")
    .description("say which back end is active and why, and how to switch and roll back")
    .action((_options, command) => app.run(command.optsWithGlobals(), describe));
}

async function describe(session: Session): Promise<number> {
  if (session.isServerAsked) {
    throw new UsageError("this works on a queue's files: it takes no --url");
  }
  const env = Object.fromEntries(
    TASK_EXECUTION_VARIABLES.map((name) => [name, session.io.environment(name)]),
  );
  const asked = askedFor(env);
  const queue = await lookAt(session.dbPath);
  const document = documentOf(session, { env, asked, queue });
  if (session.json) writeJson(session, document);
  writeLine(session, textOf(document));
  const isInDoubt = asked.config === null ||
    (asked.config.taskBackend === "queue" && queue.state === "unusable");
  return isInDoubt ? EXIT.no : EXIT.done;
}

function askedFor(env: Environment): Asked {
  try {
    return { config: resolveTaskExecutionConfig({}, env), problem: null };
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    return { config: null, problem: thrown.message };
  }
}

/** Opens the queue if there is one; a look makes none. */
async function lookAt(path: string): Promise<QueueState> {
  const nothing = { path: shownPath(path), problem: null, total: 0, byStatus: NO_TASKS };
  if (!isDatabaseAddress(path) && !await isThere(path)) return { ...nothing, state: "missing" };
  try {
    if (isDatabaseAddress(path) && (await migrateQueue(path, { dryRun: true })).version === 0) {
      return { ...nothing, state: "missing" };
    }
    const queue = await openQueue({ path, mustExist: true, readOnly: isDatabaseAddress(path) });
    try {
      const { total, byStatus } = await queue.stats();
      return { ...nothing, state: "usable", total, byStatus };
    } finally {
      await queue.close();
    }
  } catch (thrown) {
    return { ...nothing, state: "unusable", problem: messageOf(thrown) };
  }
}

function documentOf(
  { dbName }: Session,
  { env, asked, queue }: {
    readonly env: Environment;
    readonly asked: Asked;
    readonly queue: QueueState;
  },
): DocumentOf<"Backend"> {
  const commands = Object.fromEntries(SHELLS.map((shell) => {
    const { toQueue, toMemory, toPython } = backendCommands(shell, dbName);
    return [shell, { to_queue: [...toQueue], to_memory: [...toMemory], to_python: [...toPython] }];
  })) as DocumentOf<"Backend">["commands"];
  return {
    active: asked.config?.taskBackend ?? null,
    reason: asked.problem ?? reasonOf(env),
    fallback: asked.config?.queueFallbackEnabled ?? null,
    variables: TASK_EXECUTION_VARIABLES.map((name) => ({
      name,
      value: env[name] === undefined ? null : shownPath(env[name]),
    })),
    queue: {
      path: queue.path,
      state: queue.state,
      problem: queue.problem,
      total: queue.total,
      by_status: queue.byStatus,
    },
    commands,
  };
}

/** By the precedence of `resolveTaskExecutionConfig`. */
function reasonOf(env: Environment): string {
  const said = (name: string): string | undefined => env[name]?.trim() || undefined;
  const [backend, flag] = [said("TASK_BACKEND"), said("USE_QUEUE_SYSTEM")];
  if (backend !== undefined) {
    const before = flag === undefined ? "" : ", which takes precedence over USE_QUEUE_SYSTEM";
    return `TASK_BACKEND is ${JSON.stringify(backend)}${before}`;
  }
  if (flag !== undefined) {
    return `USE_QUEUE_SYSTEM is ${JSON.stringify(flag)}, and TASK_BACKEND is not set`;
  }
  return "it is the default: neither TASK_BACKEND nor USE_QUEUE_SYSTEM is set";
}

function textOf(document: DocumentOf<"Backend">): string {
  const { active, reason, variables } = document;
  const lines = [
    active === null ? `no back end: ${reason}` : `${active}, because ${reason}`,
    "",
    ...variables.map(({ name, value }) =>
      `  ${name.padEnd(23)}${value === null ? "(not set)" : JSON.stringify(value)}`
    ),
    "",
    ...queueLines(document),
    "An option in the application's code takes precedence over its environment.",
  ];
  for (const shell of SHELLS) lines.push("", ...commandLines(shell, document));
  return lines.map(printable).join("\n");
}

function queueLines({ active, fallback, queue }: DocumentOf<"Backend">): string[] {
  const counts = Object.entries(queue.by_status).filter(([, count]) => count > 0).map((
    [status, count],
  ) => `${count} ${status}`);
  if (queue.state === "missing") return [`There is no queue at ${queue.path} yet.`];
  if (queue.state === "usable") {
    const parts = counts.length === 0 ? "" : ` (${counts.join(", ")})`;
    return [`The queue at ${queue.path} holds ${queue.total} tasks${parts}.`];
  }
  const consequence = fallback
    ? "runs are kept in memory instead (QUEUE_FALLBACK_ENABLED)"
    : "the application does not start (QUEUE_FALLBACK_ENABLED)";
  return [
    `The queue at ${queue.path} cannot be opened: ${queue.problem}`,
    ...(active === "queue" ? [`As it is, ${consequence}.`] : []),
  ];
}

const SHELL_NAMES: Readonly<Record<typeof SHELLS[number], string>> = Object.freeze({
  posix: "sh, bash, zsh",
  powershell: "PowerShell",
});

function commandLines(
  shell: typeof SHELLS[number],
  { commands }: DocumentOf<"Backend">,
): string[] {
  const { to_queue: toQueue, to_memory: toMemory, to_python: toPython } = commands[shell];
  const sections: readonly [heading: string, lines: BackendCommands["toQueue"]][] = [
    ["to the durable queue; then restart the application", toQueue],
    ["back to memory; then restart the application", toMemory],
    ["back to the Python system; stop the workers first, then restart it", toPython],
  ];
  return [
    `${SHELL_NAMES[shell]}:`,
    ...sections.flatMap(([heading, lines]) => [
      `  # ${heading}`,
      ...lines.map((line) => `  ${line}`),
    ]),
  ];
}
