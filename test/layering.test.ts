/**
 * The layers of DESIGN.md: who may import whom, read from the imports themselves.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The folders of the program. */
const SOURCES: readonly string[] = ["src", "server", "client", "cli", "examples"];

/** What each folder may import besides itself. Files of `src/` itself are the composition root: they may import all of it. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "src/domain": [],
  "src/storage": ["src/domain"],
  "src/ledger": ["src/domain", "src/storage"],
  "src/queue": ["src/domain", "src/ledger"],
  "src/worker": ["src/domain", "src/queue/task_queue.ts", "src/queue/operator.ts"],
  "src/manager": [
    "src/domain",
    "src/queue/queue_settings.ts",
    "src/queue/task_queue.ts",
    "src/worker",
  ],
  "src/transfer": [
    "src/domain",
    "src/ledger/sql_engine.ts",
    "src/ledger_queue/records/schedule_record.ts",
    "src/ledger_queue/records/task_record.ts",
  ],
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
    "src/ledger/sql_engine.ts",
    "src/manager/history_file.ts",
    "src/patterns/command_module.ts",
    "src/patterns/module_list.ts",
    "src/patterns/processes.ts",
    "src/worker/log_limits.ts",
    "src/worker/log_store.ts",
    "src/worker/handler_registry.ts",
    "src/worker/handler_list.ts",
    "src/worker/isolated_handler.ts",
    "src/worker/thread_endings.ts",
    "src/worker/thread_gate.ts",
    "src/worker/thread_messages.ts",
    "src/worker/thread_side.ts",
    "src/worker/webhook_handler.ts",
    "src/worker/worker_config.ts",
  ],
  "src": ["src"],
  "server": ["src/mod.ts"],
  "client": [],
  "cli": ["src/mod.ts", "server", "deno.json"],
  "examples": ["src/mod.ts", "server", "client", "cli"],
};

/** Packages that a layer may use. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "src/domain": [],
  "src/storage": [],
  "src/ledger": [],
  "src/queue": ["@logtape/logtape", "@opentelemetry/api", "croner"],
  "src/worker": ["zod", "@logtape/logtape", "@opentelemetry/api"],
  "src/manager": ["zod", "@logtape/logtape"],
  "src/transfer": [],
  "src/patterns": ["zod"],
  "src/platform": ["sql.js", "smol-toml", "yaml", "zod", "node:"],
  "src": [],
  "server": ["hono", "@hono/zod-openapi", "@logtape/logtape", "zod"],
  "client": [],
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

Deno.test("every import goes along an arrow of DESIGN.md", async () => {
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

Deno.test("Deno and node: are named in src/platform, cli and examples only", async () => {
  const offenders: string[] = [];
  for (const file of await sourceFiles()) {
    if (["src/platform", "cli", "examples"].includes(layerOf(file))) continue;
    const code = (await Deno.readTextFile(join(ROOT, file))).replaceAll(
      /\/\*[\s\S]*?\*\/|\/\/.*|"[^"\n]*"/g,
      "",
    );
    if (/\bDeno\.|\bprocess\./.test(code)) offenders.push(file);
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

function isAllowed(file: string, layer: string, target: string): boolean {
  if (!target.startsWith(".")) {
    return PACKAGES[layer]!.some((name) =>
      target === name || target.startsWith(name.endsWith(":") ? name : `${name}/`)
    );
  }
  const path = relative(ROOT, join(ROOT, dirname(file), target)).replaceAll("\\", "/");
  if (layerOf(path) === layer) return true;
  return ALLOWED[layer]!.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
}

function layerOf(file: string): string {
  const [top, folder, rest] = file.split("/");
  return top === "src" && rest !== undefined ? `src/${folder}` : top!;
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
      else if (entry.name.endsWith(".ts")) found.push(path);
    }
  };
  for (const top of tops) await visit(top);
  assert(found.length > 60, `${found.length} files were found`);
  return found.sort();
}
