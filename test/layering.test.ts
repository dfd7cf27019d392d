/**
 * The layers of ARCHITECTURE.md: what each folder may import, read from the imports themselves, types included.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The folders of the program. */
const SOURCES: readonly string[] = [
  "src",
  "server",
  "dashboard",
  "client",
  "testing",
  "cli",
  "examples",
];

/** What everything in `src/ledger_queue` may import. */
const BENEATH_LEDGER_QUEUE = ["src/domain", "src/ledger", "src/queue", "src/queue_policy"] as const;

/** What everything in `src/postgres_queue` may import. */
const BENEATH_POSTGRES_QUEUE = ["src/domain", "src/queue", "src/queue_policy"] as const;

/** What a resource of the server may import: other resources too, so long as there is no circle. */
const RESOURCE = [
  "src/core.ts",
  ...[
    "http",
    "logs",
    "modules",
    "operations",
    "runs",
    "tasks",
    "workers",
  ].map((folder) => `server/${folder}`),
];

/** What runs where there is no platform. */
const CORE = ["src/core.ts", "server/app.ts", "dashboard/app.tsx", "examples/edge/bundle.ts"];

/** What each folder may import besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "src/domain": [],
  "src/storage": ["src/domain"],
  "src/ledger": ["src/domain", "src/storage"],
  "src/queue": ["src/domain"],
  "src/queue_policy": ["src/domain", "src/queue"],
  "src/ledger_queue/rows": BENEATH_LEDGER_QUEUE,
  "src/ledger_queue/tasks": [...BENEATH_LEDGER_QUEUE, "src/ledger_queue/rows"],
  "src/ledger_queue/schedules": [
    ...BENEATH_LEDGER_QUEUE,
    "src/ledger_queue/rows",
    "src/ledger_queue/tasks",
  ],
  "src/ledger_queue/records": [
    ...BENEATH_LEDGER_QUEUE,
    "src/ledger_queue/rows",
    "src/ledger_queue/tasks",
    "src/ledger_queue/schedules",
  ],
  "src/ledger_queue/insight": [
    ...BENEATH_LEDGER_QUEUE,
    "src/ledger_queue/rows",
    "src/ledger_queue/tasks",
  ],
  "src/ledger_queue": [...BENEATH_LEDGER_QUEUE, "src/ledger_queue"],
  "src/postgres_queue/rows": BENEATH_POSTGRES_QUEUE,
  "src/postgres_queue/tasks": [...BENEATH_POSTGRES_QUEUE, "src/postgres_queue/rows"],
  "src/postgres_queue/schedules": [
    ...BENEATH_POSTGRES_QUEUE,
    "src/postgres_queue/rows",
    "src/postgres_queue/tasks",
  ],
  "src/postgres_queue/records": [
    ...BENEATH_POSTGRES_QUEUE,
    "src/postgres_queue/rows",
    "src/postgres_queue/tasks",
    "src/postgres_queue/schedules",
  ],
  "src/postgres_queue/insight": [
    ...BENEATH_POSTGRES_QUEUE,
    "src/postgres_queue/rows",
    "src/postgres_queue/tasks",
  ],
  "src/postgres_queue": [
    ...BENEATH_POSTGRES_QUEUE,
    "src/postgres_queue",
    "src/worker/log_limits.ts",
    "src/worker/log_line.ts",
    "src/worker/log_store.ts",
  ],
  "src/remote_queue": [
    "src/domain",
    "src/queue",
    "src/queue_policy",
    "src/worker/log_limits.ts",
    "src/worker/log_line.ts",
    "src/worker/log_store.ts",
  ],
  "src/worker": [
    "src/domain",
    "src/queue",
    "src/queue_policy/attempt_request.ts",
    "src/queue_policy/instruments.ts",
  ],
  "src/project": [
    "src/domain",
    "src/queue",
    "src/queue_policy/new_task.ts",
    "src/worker/log_limits.ts",
    "src/worker/schema_problems.ts",
    "src/worker/webhook_handler.ts",
    "src/worker/worker_options.ts",
  ],
  "src/manager": ["src/domain", "src/queue", "src/worker"],
  "src/transfer": ["src/domain", "src/ledger/sql_engine.ts", "src/queue"],
  "src/patterns": [
    "src/domain",
    "src/manager",
    "src/worker/handler_registry.ts",
    "src/worker/schema_problems.ts",
  ],
  "src/platform": [
    "src/domain",
    "src/storage/storage.ts",
    "src/storage/place.ts",
    "src/storage/footer.ts",
    "src/storage/snapshot.ts",
    "src/ledger/fold.ts",
    "src/ledger/schema.ts",
    "src/ledger/sql_engine.ts",
    "src/ledger/sqljs_engine.ts",
    "src/manager/history_file.ts",
    "src/patterns/command_module.ts",
    "src/patterns/module_list.ts",
    "src/patterns/processes.ts",
    "src/postgres_queue/rows/database.ts",
    "src/queue/task_definition.ts",
    "src/transfer/sqlite_files.ts",
    "src/worker/log_limits.ts",
    "src/worker/log_line.ts",
    "src/worker/log_store.ts",
    "src/worker/handler_registry.ts",
    "src/worker/handler_list.ts",
    "src/worker/isolated_handler.ts",
    "src/worker/thread_endings.ts",
    "src/worker/thread_gate.ts",
    "src/worker/thread_messages.ts",
    "src/worker/thread_side.ts",
    "src/worker/webhook_handler.ts",
    "src/project/project_config.ts",
    "src/project/resolve_project.ts",
  ],
  "src/compose": ["src"],
  "src": ["src"],
  "server/http": ["src/core.ts"],
  "server/events": RESOURCE,
  "server/limits": RESOURCE,
  "server/logs": RESOURCE,
  "server/modules": RESOURCE,
  "server/operations": RESOURCE,
  "server/records": [...RESOURCE, "server/limits", "server/schedules"],
  "server/runs": RESOURCE,
  "server/schedules": RESOURCE,
  "server/tasks": RESOURCE,
  "server/workers": RESOURCE,
  "server": ["src/core.ts", "server"],
  "dashboard": ["src/core.ts", "server/http", "server/tasks/enqueue.ts"],
  "client": [],
  "testing": ["src/mod.ts"],
  "cli": ["src/mod.ts", "server", "dashboard/app.tsx", "deno.json"],
  "examples": ["src/core.ts", "src/mod.ts", "server", "client", "cli"],
};

/** Packages that a layer may use. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "src/domain": [],
  "src/storage": [],
  "src/ledger": [],
  "src/queue": [],
  "src/queue_policy": ["croner", "@opentelemetry/api"],
  "src/ledger_queue": ["@logtape/logtape"],
  "src/postgres_queue": [],
  "src/remote_queue": [],
  "src/worker": ["zod", "@logtape/logtape", "@opentelemetry/api"],
  "src/project": ["zod"],
  "src/manager": ["zod", "@logtape/logtape"],
  "src/transfer": [],
  "src/patterns": ["zod"],
  "src/compose": [],
  "src/platform": ["pg", "sql.js", "smol-toml", "yaml", "zod", "node:"],
  "src": [],
  "server": ["hono", "@hono/zod-openapi", "@logtape/logtape", "zod"],
  "dashboard": ["hono", "@hono/zod-openapi"],
  "client": [],
  "testing": [],
  "cli": [
    "@logtape/logtape",
    "commander",
    "@commander-js/extra-typings",
    "cli-progress",
    "node:",
    "zod",
  ],
  "examples": [
    "zod",
    "cli-progress",
    "commander",
    "@commander-js/extra-typings",
    "fast-png",
    "hono",
    "node:",
  ],
};

Deno.test("every import goes along an arrow of ARCHITECTURE.md", async () => {
  let imports = 0;
  const forbidden: string[] = [];
  for (const file of await sourceFiles()) {
    const layer = layerOf(file);
    for (const target of importsOf(await Deno.readTextFile(join(ROOT, file)))) {
      imports++;
      if (!isAllowed(file, layer, target)) forbidden.push(`${file} imports ${target}`);
    }
  }
  assertEquals(forbidden, []);
  assert(imports > 200, `${imports} imports were read`);
});

Deno.test("no files import each other in a circle, types included", async () => {
  const graph = new Map<string, string[]>();
  for (const file of await sourceFiles([...SOURCES, "bench", "test"])) {
    const targets = importsOf(await Deno.readTextFile(join(ROOT, file)));
    graph.set(file, targets.filter((to) => to.startsWith(".")).map((to) => pathOf(file, to)));
  }
  assertEquals(circlesIn(graph), []);
});

Deno.test("what only a database needs is not loaded for a queue in files", async () => {
  const reached = await reachedFrom(["src/mod.ts"]);
  assert(reached.has("src/ledger_queue/ledger_queue.ts"));
  const loaded = ["pg", "src/platform/postgres_driver.ts", "src/postgres_queue/postgres_queue.ts"];
  assertEquals(loaded.filter((file) => reached.has(file)), []);
});

Deno.test("a program loads neither SQLite nor the HTTP interface before it needs them", async () => {
  const reached = await reachedFrom(["cli/main.ts"], { withTypes: false });
  assert(reached.has("src/platform/sqljs_engine.ts") && reached.has("cli/commands/serve.ts"));
  const loaded = ["sql.js", "server/app.ts", "dashboard/app.tsx", "cli/http_answers.ts"];
  assertEquals([...reached].filter((name) => loaded.some((each) => name.startsWith(each))), []);
});

Deno.test("nothing that core, the server or the dashboard loads names Deno or node:, or a package for files", async () => {
  const reached = await reachedFrom(CORE);
  assert(reached.has("src/compose/compose_queue.ts") && reached.has("croner"));
  const [packages, files] = [[...reached].filter(isPackage), [...reached].filter(isFile)];
  assertEquals(packages.filter((name) => /^node:|^pg$|^sql\.js/.test(name)), []);
  const offenders: string[] = [];
  for (const file of files) {
    if (file.startsWith("src/platform/") || await namesPlatform(file)) offenders.push(file);
  }
  assertEquals(offenders, []);
  assert(files.length > 150, `${files.length} files were read`);
});

Deno.test("what core, the server and the dashboard load calls no built-in that Node 20 lacks", async () => {
  const newer =
    /Promise\.(withResolvers|try)|Map\.groupBy|Array\.fromAsync|\.(toHex|toBase64)\(|Uint8Array\.from(Hex|Base64)|\.(values|keys)\(\)\s*\.(?!next\b)\w|RegExp\.escape/;
  const offenders: string[] = [];
  for (const file of await reachedFrom(CORE)) {
    if (isPackage(file)) continue;
    const found = (await codeOf(file)).match(newer);
    if (found) offenders.push(`${file}: ${found[0]}`);
  }
  assertEquals(offenders, []);
});

Deno.test("src itself holds core.ts and mod.ts alone, and no folder of it more than 15 % of the lines", async () => {
  const lines = new Map<string, number>();
  for (const file of await sourceFiles(["src"])) {
    const count = (await Deno.readTextFile(join(ROOT, file))).split("\n").length;
    lines.set(dirname(file), (lines.get(dirname(file)) ?? 0) + count);
  }
  const total = [...lines.values()].reduce((sum, count) => sum + count, 0);
  const large = [...lines].filter(([, count]) => count > total * 0.15);
  assertEquals(large, []);
  const loose = (await sourceFiles(["src"])).filter((file) => dirname(file) === "src");
  assertEquals(loose, ["src/core.ts", "src/mod.ts"]);
});

Deno.test("Deno and node: are named in src/platform, cli and examples only", async () => {
  const offenders: string[] = [];
  for (const file of await sourceFiles()) {
    if (["src/platform", "cli", "examples"].includes(layerOf(file))) continue;
    if (await namesPlatform(file)) offenders.push(file);
  }
  assertEquals(offenders, []);
});

Deno.test("nothing starts Deno on this tree without its lock file, which stands for what a cache may lack", async () => {
  // the watcher of a command module imports no package, and what it starts is the user's
  const exempt = "src/platform/deno_processes.ts";
  const flag = `"--${["no", "lock"].join("-")}"`;
  const offenders: string[] = [];
  for (const file of await sourceFiles([...SOURCES, "test", "bench"])) {
    if (file === exempt) continue;
    if ((await Deno.readTextFile(join(ROOT, file))).includes(flag)) offenders.push(file);
  }
  assertEquals(offenders, []);
});

/** What these files load when they are loaded: files, and packages by name. Not what they import later. */
async function reachedFrom(
  files: readonly string[],
  { withTypes }: { readonly withTypes: boolean } = { withTypes: true },
): Promise<Set<string>> {
  const reached = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (reached.has(file)) return;
    reached.add(file);
    if (isPackage(file)) return;
    const all = (await Deno.readTextFile(join(ROOT, file))).replaceAll(/\bimport\(/g, "later(");
    const code = withTypes ? all : all.replaceAll(/^import type .*?;$/gms, "");
    for (const to of importsOf(code)) await visit(to.startsWith(".") ? pathOf(file, to) : to);
  };
  for (const file of files) await visit(file);
  return reached;
}

function isFile(reached: string): boolean {
  return /\.tsx?$/.test(reached);
}

function isPackage(reached: string): boolean {
  return !isFile(reached);
}

/** Whether a file names what only one platform has. */
async function namesPlatform(file: string): Promise<boolean> {
  return /\bDeno\.|\bprocess\./.test(await codeOf(file));
}

/** A file without its comments and strings. */
async function codeOf(file: string): Promise<string> {
  const text = await Deno.readTextFile(join(ROOT, file));
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|"[^"\n]*"/g, "");
}

function isAllowed(file: string, layer: string, target: string): boolean {
  if (!target.startsWith(".")) {
    const packages = PACKAGES[layer] ?? PACKAGES[layer.slice(0, layer.lastIndexOf("/"))]!;
    return packages.some((name) =>
      target === name || target.startsWith(name.endsWith(":") ? name : `${name}/`)
    );
  }
  const path = pathOf(file, target);
  if (layerOf(path) === layer) return true;
  return ALLOWED[layer]!.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
}

/** The path that `file` calls `target`. */
function pathOf(file: string, target: string): string {
  return relative(ROOT, join(ROOT, dirname(file), target)).replaceAll("\\", "/");
}

/** The first circle that each file closes, as `a → b → a`; each circle once. */
function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const isDone = new Set<string>();
  const path: string[] = [];
  const circles: string[] = [];
  const visit = (file: string): void => {
    const place = path.indexOf(file);
    if (place >= 0) circles.push([...path.slice(place), file].join(" → "));
    if (place >= 0 || isDone.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    isDone.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return circles;
}

/** The folder that a file is in: the longest that `ALLOWED` knows. */
function layerOf(file: string): string {
  let folder = dirname(file);
  while (ALLOWED[folder] === undefined && folder.includes("/")) folder = dirname(folder);
  return folder === "." ? file : folder;
}

const IMPORT =
  /^(?:import|export)\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\}|\w+(?:\s*,\s*\{[^}]*\})?)\s+from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;

function importsOf(code: string): string[] {
  return [...code.matchAll(IMPORT)].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

async function sourceFiles(tops: readonly string[] = SOURCES): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(join(ROOT, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await visit(path);
      else if (/\.tsx?$/.test(entry.name)) found.push(path);
    }
  };
  for (const top of tops) await visit(top);
  assert(found.length > 60, `${found.length} files were found`);
  return found.sort();
}
