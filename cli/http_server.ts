/**
 * The HTTP server of a command: it listens until it is stopped, whatever becomes of its listener meanwhile.
 *
 * Taking a connection may fail, for want of file descriptors most of all, and Deno ends the whole server then. So it listens
 * again after a pause; if that is refused for too long the process ends, for a service that is alive but deaf is noticed
 * by no supervisor.
 */
import { type Clock, messageOf, sleep, systemClock } from "../src/mod.ts";
import { OpenError, UsageError } from "./exit.ts";
import { aborted, GRACE_MS } from "./interrupt.ts";

/** The pause before it listens again. */
const PAUSE_MS = 500;

/** Listening may be refused for so long. */
const PATIENCE_MS = 30_000;

/** Once no request is under way, answers may be on their way for so long; a head that never comes whole is not waited for. */
const SENDING_MS = 1000;

/** An HTTP server as Deno gives it. */
export type RunningServer = Pick<Deno.HttpServer<Deno.NetAddr>, "addr" | "finished" | "shutdown">;

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What is served, and the callbacks. */
export interface Serving {
  readonly address: Address;
  readonly handler: (request: Request) => Response | Promise<Response>;
  /** Told its URL once it listens. */
  readonly onListening: (url: string) => void;
  /** Told what went wrong when it had to listen again. */
  readonly onFailure: (message: string) => void;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Makes a server; default Deno's. @throws when it cannot listen. */
  readonly start?: typeof startServer;
}

/**
 * Serves until `signal` aborts and resolves to the URL that it served. Running requests may finish for the grace time; those
 * that remain end with the process.
 *
 * @throws UsageError when it cannot listen at first; OpenError when it cannot for 30 s later on.
 */
export async function serveUntil(signal: AbortSignal, serving: Serving): Promise<string> {
  const { address, onListening, onFailure, clock = systemClock } = serving;
  const start = serving.start ?? startServer;
  const requests = new RequestsUnderWay();
  const handler = (request: Request): Promise<Response> =>
    requests.count(() => serving.handler(request));
  let server = firstServer(start, address, handler);
  const { hostname, port } = server.addr;
  const url = `http://${hostname.replace(/^(.*:.*)$/, "[$1]")}:${port}`;
  onListening(url);
  const over = aborted(signal);
  for (;;) {
    const failure = await Promise.race([over, failureOf(server)]);
    if (failure === undefined) break;
    onFailure(`HTTP on ${url} has stopped: ${messageOf(failure.cause)}; listening again`);
    const again = (): RunningServer => start({ host: address.host, port }, handler);
    const next = await startAgain(again, { signal, clock, url });
    if (next === undefined) return url;
    server = next;
  }
  const ended = new AbortController();
  const end = server.shutdown().finally(() => ended.abort());
  await Promise.race([end, sleep(clock, GRACE_MS, ended.signal), allSent(requests, clock, ended)]);
  ended.abort();
  return url;
}

async function allSent(
  requests: RequestsUnderWay,
  clock: Clock,
  ended: AbortController,
): Promise<void> {
  await requests.none;
  await sleep(clock, SENDING_MS, ended.signal);
}

/** The requests whose answers have not begun. */
class RequestsUnderWay {
  #count = 0;
  #none = Promise.withResolvers<void>();

  /** Resolves as soon as there is none. */
  get none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : this.#none.promise;
  }

  async count(answer: () => Response | Promise<Response>): Promise<Response> {
    this.#count++;
    try {
      return await answer();
    } finally {
      if (--this.#count === 0) this.#none.resolve();
      if (this.#count === 0) this.#none = Promise.withResolvers();
    }
  }
}

/** Begins to listen. */
export function startServer(
  { host, port }: Address,
  handler: Serving["handler"],
): RunningServer {
  return Deno.serve({ hostname: host, port, onListen: () => {} }, handler);
}

function firstServer(
  start: typeof startServer,
  address: Address,
  handler: Serving["handler"],
): RunningServer {
  try {
    return start(address, handler);
  } catch (cause) {
    const { host, port } = address;
    throw new UsageError(`Cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
  }
}

/** Why a server has ended by itself. */
interface Failure {
  readonly cause: unknown;
}

async function failureOf({ finished }: RunningServer): Promise<Failure> {
  try {
    await finished;
    return { cause: "its listener was closed" };
  } catch (cause) {
    return { cause };
  }
}

interface Restart {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly url: string;
}

/** A new server; nothing when `signal` aborts before there is one. @throws OpenError */
async function startAgain(
  start: () => RunningServer,
  { signal, clock, url }: Restart,
): Promise<RunningServer | undefined> {
  const untilMs = clock.nowMs() + PATIENCE_MS;
  for (;;) {
    await sleep(clock, PAUSE_MS, signal);
    if (signal.aborted) return undefined;
    try {
      return start();
    } catch (cause) {
      if (clock.nowMs() < untilMs) continue;
      throw new OpenError(
        `Cannot listen on ${url} again for ${PATIENCE_MS / 1000} s: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}
