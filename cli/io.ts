/**
 * What the command line touches of the world outside: streams, environment, files, signals.
 *
 * Commands get a `CliIo`, so tests run them in-process with captured streams. `systemIo` is the real one.
 */
import { decodeText } from "../src/mod.ts";

/** As they are at the start: while handlers run, theirs are others. */
const { exit, stdout } = Deno;

/** The command line's surroundings. */
export interface CliIo {
  /** Writes to standard output: the answer. */
  writeOut(text: string): void;
  /** Writes to standard error: everything that is not the answer. */
  writeErr(text: string): void;
  /** The text of the file at `path`; `-` is standard input. UTF-8, or UTF-16 with its mark. @throws TypeError when it is neither. */
  readText(path: string): Promise<string>;
  /** An environment variable; `undefined` when it is not set. */
  environment(name: string): string | undefined;
  /** Whether a person reads standard output. */
  readonly outIsTerminal: boolean;
  /** Whether a person reads standard error. */
  readonly errIsTerminal: boolean;
  /** Aborts when the reader of standard output has gone: work that never ends by itself should end then. */
  readonly outClosed: AbortSignal;
  /** How many columns the terminal on standard output has at this moment; 80 where there is none. */
  outColumns(): number;
  /** How many rows it has; 24 where there is none. */
  outRows(): number;
  /**
   * Calls `listener` whenever the process is asked to stop, with `true` when its console is being closed: then the system ends
   * it 5 s later. Returns the way to stop listening.
   */
  onInterrupt(listener: (isClosing: boolean) => void): () => void;
  /** The folder in which a project is looked for. */
  readonly folder: string;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

/** The process's own streams, environment, files and signals. */
export function systemIo(): CliIo {
  const outClosed = new AbortController();
  return {
    writeOut: writerTo(stdout, () => outClosed.abort()),
    writeErr: writerTo(Deno.stderr, () => {}),
    outClosed: outClosed.signal,
    readText: async (path) =>
      decodeText(path === "-" ? await readStandardInput() : await Deno.readFile(path)),
    environment: (name) => Deno.env.get(name),
    outIsTerminal: stdout.isTerminal(),
    errIsTerminal: Deno.stderr.isTerminal(),
    outColumns: () => outSize().columns,
    outRows: () => outSize().rows,
    folder: ".",
    onInterrupt: onSignals,
    exitNow: (code) => exit(code),
  };
}

/** What a terminal has that does not say. */
const DEFAULT_SIZE = Object.freeze({ columns: 80, rows: 24 });

function outSize(): { columns: number; rows: number } {
  if (!stdout.isTerminal()) return DEFAULT_SIZE;
  const { columns, rows } = Deno.consoleSize();
  return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
}

interface OutputStream {
  writeSync(bytes: Uint8Array): number;
}

/** Writes whole texts. When the reader has gone (`holdfast list | head -1`), what remains has nowhere to go. */
function writerTo(stream: OutputStream, onReaderGone: () => void): (text: string) => void {
  const encoder = new TextEncoder();
  let readerGone = false;
  return (text) => {
    let rest = encoder.encode(text);
    while (rest.length > 0 && !readerGone) {
      try {
        rest = rest.subarray(stream.writeSync(rest));
      } catch (thrown) {
        if (!(thrown instanceof Deno.errors.BrokenPipe)) throw thrown;
        readerGone = true;
        onReaderGone();
      }
    }
  };
}

async function readStandardInput(): Promise<Uint8Array> {
  return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
}

function onSignals(listener: (isClosing: boolean) => void): () => void {
  const onSignal = (): void => listener(false);
  const onClosing = (): void => listener(true);
  const signals: [Deno.Signal, () => void][] = Deno.build.os === "windows"
    // The last is what a closed window, a logoff and a shutdown are there.
    ? [["SIGINT", onSignal], ["SIGBREAK", onSignal], ["SIGHUP", onClosing]]
    : [["SIGINT", onSignal], ["SIGTERM", onSignal]];
  for (const [signal, act] of signals) Deno.addSignalListener(signal, act);
  return () => {
    for (const [signal, act] of signals) Deno.removeSignalListener(signal, act);
  };
}
