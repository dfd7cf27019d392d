/**
 * `holdfast serve`: the HTTP interface, with a worker in the same process.
 */
import {
  HandlerRegistry,
  type ProjectConfig,
  type ResolvedProject,
  SETTINGS,
  withoutRepeats,
} from "../../src/mod.ts";
import { type App, type Program, type Session, writeJson, writeNote } from "../app.ts";
import {
  HANDLERS_HELP,
  loadHandlerFiles,
  MODULES_HELP,
  withQueueAndLogs,
  withWorker,
} from "../embedded_worker.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { httpAccess } from "../http_access.ts";
import type { Answering } from "../http_answers.ts";
import { serveUntil } from "../http_server.ts";
import { listenForInterrupts, STOPPING_NOTE } from "../interrupt.ts";
import { integerFrom } from "../options.ts";
import { whileSound } from "../end_in_doubt.ts";
import { WorkerReport } from "../worker_report.ts";
import {
  addRetentionOption,
  addRoomOptions,
  addWebhookOptions,
  announceRetention,
  configured,
  ownSettings,
  retentionOf,
  retentionSettings,
  type RoomOptions,
  roomSettings,
  type WebhookCommandOptions,
  webhookSettings,
  withWebhooks,
} from "../worker_settings.ts";

/** How long a request may wait for the commit lock: it is answered even while another process holds it. */
const LOCK_WAIT_MAX_MS = 10_000;

interface ServeOptions extends WebhookCommandOptions, RoomOptions {
  readonly host?: string;
  readonly port?: number;
  readonly handlers?: string;
  readonly modules?: string;
  readonly retention?: string;
  readonly tokens?: string;
  readonly corsOrigin?: string[];
  /** False when `--no-worker` was given. */
  readonly worker: boolean;
  /** False when `--no-dashboard` was given. */
  readonly dashboard: boolean;
}

/** Adds the command. */
export function addServeCommand(program: Program, app: App): void {
  const command = program.command("serve")
    .description("serve HTTP and a dashboard, and execute tasks with the same handlers")
    .option(
      "--host <host>",
      `the address to listen on; beyond loopback tokens are needed (default: ${SETTINGS.host.byDefault})`,
    )
    .option(
      "--port <n>",
      `0 takes a free one (default: ${SETTINGS.port.byDefault})`,
      integerFrom(0, 65_535),
    )
    .option("--handlers <file>", HANDLERS_HELP)
    .option("--modules <file>", MODULES_HELP)
    .option(
      "--tokens <file>",
      `access tokens, one a line (default: ${SETTINGS.tokensFile.variable})`,
    )
    .option("--cors-origin <origin...>", "origins whose pages may use the interface")
    .option("--no-worker", "execute nothing in this process")
    .option("--no-dashboard", "show no dashboard at /");
  addWebhookOptions(command);
  addRoomOptions(command);
  addRetentionOption(command);
  command.action((options, command) =>
    app.run(command.optsWithGlobals(), (session) => serve(session, options))
  );
}

async function serve(session: Session, options: ServeOptions): Promise<number> {
  const resolved = await configured(session, settingsGiven(options));
  const { config } = resolved;
  const access = await httpAccess(session.io, config);
  const { memoryMaxBytes, logMaxBytes, logsMaxBytes } = config;
  const loaded = await loadHandlerFiles(config);
  const executed = options.worker ? await withWebhooks(session, config, loaded) : loaded;
  const handlers = executed ?? new HandlerRegistry();
  const interrupts = listenForInterrupts(session.io, STOPPING_NOTE);
  const report = new WorkerReport(session);
  try {
    return await withQueueAndLogs(session, async (queue, logs) => {
      const listen = (broken?: AbortSignal): Promise<string> =>
        whileSound({ queue, signal: interrupts.signal, broken }, (over) =>
          listenUntil(over, {
            session,
            resolved,
            access,
            app: { queue, handlers, logs },
          }));
      if (!options.worker || handlers.types().length === 0) {
        const url = await listen();
        if (session.json) writeJson(session, { url, worker: null });
        return EXIT.done;
      }
      const settings = {
        ...ownSettings(config),
        ...{ queue, handlers, logs, onEvent: report.onEvent, graceMs: interrupts.graceMs },
      };
      const { url, workerId } = await withWorker(settings, async ({ workerId }, broken) => ({
        url: await listen(broken),
        workerId,
      }));
      if (session.json) writeJson(session, { url, worker: report.summary(workerId) });
      else writeNote(session, report.summaryText(workerId));
      return EXIT.done;
    }, {
      ...{ memoryMaxBytes, logMaxBytes, logsMaxBytes, lockWaitMaxMs: LOCK_WAIT_MAX_MS },
      ...retentionOf(resolved),
    });
  } finally {
    interrupts.dispose();
  }
}

/** What the options say of the settings. */
function settingsGiven(options: ServeOptions): Partial<ProjectConfig> {
  const { host, port, handlers, modules, tokens, corsOrigin, dashboard } = options;
  return {
    ...{ host, port, handlers, modules, tokensFile: tokens, corsOrigins: corsOrigin },
    dashboard: dashboard ? undefined : false,
    ...webhookSettings(options),
    ...roomSettings(options),
    ...retentionSettings(options),
  };
}

interface Listening extends Omit<Answering, "config"> {
  readonly session: Session;
  readonly resolved: ResolvedProject;
}

/** Serves until `signal` aborts and resolves to the URL it served; running requests may finish for the grace time. */
async function listenUntil(signal: AbortSignal, listening: Listening): Promise<string> {
  const { session, resolved } = listening;
  const { config } = resolved;
  const { answersOf } = await import("../http_answers.ts");
  const note = (message: string): void => writeNote(session, `holdfast: ${message}`);
  const handler = await checkedInput(() =>
    answersOf(signal, { ...listening, config }, withoutRepeats(note))
  );
  return await serveUntil(signal, {
    address: config,
    handler,
    onListening: (url) => {
      announceRetention(session, resolved);
      writeNote(session, `listening on ${url}`);
    },
    onFailure: note,
  });
}
