/**
 * A real Chromium for tests: the one that HOLDFAST_TEST_CHROMIUM names, or Debian's, driven by playwright-core from npm in a process of
 * its own.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PLAYWRIGHT_VERSION = "1.65.1";
const AXE_VERSION = "4.14.1";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** A browser with one page. */
export interface Browser extends AsyncDisposable {
  /** A command of `browser_package.ts`. @throws Error that says what the browser did not do. */
  do<T = unknown>(name: string, ...args: readonly unknown[]): Promise<T>;
}

/** Why there is no browser here; `undefined` when there is one. HOLDFAST_TEST_CHROMIUM=none does without. */
export function whyNoBrowser(): string | undefined {
  if (Deno.env.get("HOLDFAST_TEST_CHROMIUM") === "none") return "HOLDFAST_TEST_CHROMIUM is none";
  return chromium() === undefined
    ? "no chromium here (apt-get install chromium); HOLDFAST_TEST_CHROMIUM can name one"
    : undefined;
}

function chromium(): string | undefined {
  const named = Deno.env.get("HOLDFAST_TEST_CHROMIUM");
  return [...named ? [named] : [], ...PLACES].find(isThere);
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

/** Starts a browser. */
export function startBrowser(): Browser {
  const here = dirname(fileURLToPath(import.meta.url));
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-config", `--lock=${join(here, "browser_package.lock")}`, "--allow-all"],
      join(here, "browser_package.ts"),
      ...[chromium()!, PLAYWRIGHT_VERSION, AXE_VERSION],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const commands = process.stdin.getWriter();
  const answers = linesOf(process.stdout);
  return {
    async do<T>(name: string, ...args: readonly unknown[]): Promise<T> {
      await commands.write(new TextEncoder().encode(`${JSON.stringify([name, ...args])}\n`));
      const { value: line, done } = await answers.next();
      if (done) throw new Error(`The browser has ended before it answered ${name}`);
      const { value, error } = JSON.parse(line) as { value?: T; error?: string };
      if (error !== undefined) throw new Error(error);
      return value as T;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await commands.close();
      await answers.return(undefined);
      await process.status;
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
