/**
 * `holdfast serve`: the HTTP interface, with a worker in the same process.
 */
import configuration from "../../deno.json" with { type: "json" };
import { HandlerRegistry, messageOf, withoutRepeats } from "../../src/mod.ts";
import { type AppOptions, createApp } from "../../server/app.ts";
import { type App, type Program, type Session, writeJson, writeNote } from "../app.ts";
import {
  HANDLERS_HELP,
  loadHandlerFiles,
  MODULES_HELP,
  withQueueAndLogs,
  withWorker,
} from "../embedded_worker.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { httpAccess, TOKENS_FILE_VARIABLE } from "../http_access.ts";
import { type Address, serveUntil } from "../http_server.ts";
import { listenForInterrupts, STOPPING_NOTE } from "../interrupt.ts";
import { integerFrom } from "../options.ts";
import { whileSound } from "../end_in_doubt.ts";
import { WorkerReport } from "../worker_report.ts";
import {
  addRoomOptions,
  addWebhookOptions,
  CONFIG_HELP,
  readWorkerSettings,
  type RoomOptions,
  roomSettings,
  type WebhookCommandOptions,
  webhookSettings,
  withWebhooks,
} from "../worker_settings.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8787;

/** How long a request may wait for the commit lock: it is answered even while another process holds it. */
const LOCK_WAIT_MAX_MS = 10_000;

interface ServeOptions extends WebhookCommandOptions, RoomOptions {
  readonly host: string;
  readonly port: number;
  readonly handlers?: string;
  readonly modules?: string;
  readonly config?: string;
  readonly tokens?: string;
  readonly corsOrigin?: string[];
  /** False when `--no-worker` was given. */
  readonly worker: boolean;
}

/** Adds the command. */
export function addServeCommand(program: Program, app: App): void {
  const command = program.command("serve")
    .description("serve HTTP, and execute tasks with the same handlers")
    .option(
      "--host <host>",
      "the address to listen on; beyond loopback tokens are needed",
      DEFAULT_HOST,
    )
    .option("--port <n>", "0 takes a free one", integerFrom(0, 65_535), DEFAULT_PORT)
    .option("--handlers <file>", HANDLERS_HELP)
    .option("--modules <file>", MODULES_HELP)
    .option("--config <file>", `the worker's ${CONFIG_HELP}`)
    .option("--tokens <file>", `access tokens, one a line (default: ${TOKENS_FILE_VARIABLE})`)
    .option("--cors-origin <origin...>", "origins whose pages may use the interface")
    .option("--no-worker", "execute nothing in this process");
  addWebhookOptions(command);
  addRoomOptions(command);
  command.action((options, command) =>
    app.run(command.optsWithGlobals(), (session) => serve(session, options))
  );
}

async function serve(session: Session, options: ServeOptions): Promise<number> {
  const access = await httpAccess(session.io, { host: options.host, tokensFile: options.tokens });
  const given = { ...webhookSettings(options), ...roomSettings(options) };
  const config = await readWorkerSettings(session, options.config, given);
  const { memoryMaxBytes, logMaxBytes } = config;
  const loaded = await loadHandlerFiles(options);
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
            address: options,
            app: { queue, handlers, logs, corsOrigins: options.corsOrigin, ...access },
          }));
      if (!options.worker || handlers.types().length === 0) {
        const url = await listen();
        if (session.json) writeJson(session, { url, worker: null });
        return EXIT.done;
      }
      const settings = {
        ...config,
        ...{ queue, handlers, logs, onEvent: report.onEvent, graceMs: interrupts.graceMs },
      };
      const { url, workerId } = await withWorker(settings, async ({ workerId }, broken) => ({
        url: await listen(broken),
        workerId,
      }));
      if (session.json) writeJson(session, { url, worker: report.summary(workerId) });
      else writeNote(session, report.summaryText(workerId));
      return EXIT.done;
    }, { memoryMaxBytes, logMaxBytes, lockWaitMaxMs: LOCK_WAIT_MAX_MS });
  } finally {
    interrupts.dispose();
  }
}

interface Listening {
  readonly session: Session;
  readonly app: AppOptions;
  readonly address: Address;
}

/** Serves until `signal` aborts and resolves to the URL it served; running requests may finish for the grace time. */
async function listenUntil(signal: AbortSignal, listening: Listening): Promise<string> {
  const { session, address } = listening;
  const note = (message: string): void => writeNote(session, `holdfast: ${message}`);
  const tell = withoutRepeats(note);
  const app = await checkedInput(() =>
    createApp({
      ...listening.app,
      version: configuration.version,
      closing: signal,
      onError: (cause) => tell(messageOf(cause)),
    })
  );
  return await serveUntil(signal, {
    address,
    handler: (request) => isRoot(request) ? rootAnswer() : app.fetch(request),
    onListening: (url) => writeNote(session, `listening on ${url}`),
    onFailure: note,
  });
}

function isRoot({ method, url }: Request): boolean {
  return ["GET", "HEAD"].includes(method) && new URL(url).pathname === "/";
}

/** Says where the rest is, which needs a token where there are any. */
function rootAnswer(): Response {
  return Response.json({
    name: "Holdfast",
    version: configuration.version,
    health: "/api/health",
    openapi: "/openapi.json",
  }, { headers: { "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" } });
}
