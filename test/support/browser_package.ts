/**
 * Drives a Chromium for tests: reads commands from stdin, one JSON array a line, and answers each with a line. A program with a lock
 * file of its own: Deno loads everything that a lock file names, so in that of the repository every user of the command line would
 * load playwright-core and axe-core, too.
 */
const [executablePath, playwrightVersion, axeVersion] = Deno.args as [string, string, string];
const { chromium } = await import(`npm:playwright-core@${playwrightVersion}`);
const { default: axe } = await import(`npm:axe-core@${axeVersion}`);

/** As root there is no sandbox; the pages are the tests' own. */
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

let context = await browser.newContext();
let page = await context.newPage();
let problems: string[] = [];

const COMMANDS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  /** A new page, with the options of a context; what went wrong before is forgotten. */
  async open(options: object): Promise<void> {
    await context.close();
    context = await browser.newContext(options);
    page = await context.newPage();
    problems = [];
    page.on("pageerror", (error: Error) => problems.push(String(error)));
    page.on("console", (message: { type(): string; text(): string }) => {
      if (["error", "warning"].includes(message.type())) problems.push(message.text());
    });
  },
  goto: async (url: string) => (await page.goto(url)).status(),
  url: () => page.url(),
  click: (selector: string) => page.locator(selector).first().click(),
  fill: (selector: string, text: string) => page.locator(selector).first().fill(text),
  choose: (selector: string, path: string) => page.locator(selector).first().setInputFiles(path),
  check: (selector: string) => page.locator(selector).first().check(),
  press: (key: string) => page.keyboard.press(key),
  type: (text: string) => page.keyboard.type(text),
  text: (selector: string) => page.locator(selector).first().innerText(),
  count: (selector: string) => page.locator(selector).count(),
  wait: (selector: string) => page.locator(selector).first().waitFor(),
  waitUrl: (part: string) => page.waitForURL((url: URL) => url.href.includes(part)),
  evaluate: (expression: string) => page.evaluate(expression),
  shot: (path: string) => page.screenshot({ path }),
  problems: () => problems,
  /** What axe-core finds wrong with the page. */
  async axe(): Promise<string[]> {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate("axe.run()");
    return violations.map((each: { id: string; nodes: { html: string }[] }) =>
      `${each.id}: ${each.nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`
    );
  },
};

async function answer(line: string): Promise<unknown> {
  const [name, ...args] = JSON.parse(line) as [string, ...never[]];
  try {
    return { value: (await COMMANDS[name]!(...args)) ?? null };
  } catch (thrown) {
    return { error: `${name}: ${thrown}` };
  }
}

const decoder = new TextDecoder();
let rest = "";
for await (const chunk of Deno.stdin.readable) {
  const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
  rest = lines.pop()!;
  for (const line of lines) console.log(JSON.stringify(await answer(line)));
}
await browser.close();
Deno.exit(0);
