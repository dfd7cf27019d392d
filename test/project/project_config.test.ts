/**
 * A project's settings: options over environment over file over defaults, and precise refusals.
 */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname, join } from "node:path";
import { stringify as toToml } from "smol-toml";
import { stringify as toYaml } from "yaml";
import {
  openProject,
  PROJECT_VARIABLES,
  type ProjectConfig,
  type ProjectSources,
  readProject,
  resolveProject,
  SETTINGS,
  WORKER_DEFAULTS,
} from "../../src/mod.ts";

function configOf(sources?: ProjectSources): ProjectConfig {
  return resolveProject(sources).config;
}

const ENV = {
  QUEUE_DB_PATH: "env/queue.db",
  HOLDFAST_HANDLERS: "env.ts",
  HOLDFAST_MODULES: "env.json",
  HOLDFAST_RETENTION: "completed:7d, keep:5",
  HOLDFAST_DURABILITY: "relaxed",
  HOLDFAST_PAYLOAD_MAX_BYTES: "1000",
  HOLDFAST_WORKER_ID: " env-worker ",
  HOLDFAST_SCHEDULING_STRATEGY: "lifo",
  HOLDFAST_LEASE_DURATION_MS: "2000",
  HOLDFAST_CONCURRENCY: "2",
  HOLDFAST_CAPABILITIES: '{"gpu":true}',
  HOLDFAST_POLL_INTERVAL_MS: "20",
  HOLDFAST_WEBHOOK_ALLOWED_HOSTS: "hooks.example.com, 10.0.0.1:8443,::1,",
  HOLDFAST_WEBHOOK_SECRET_FILE: "env.secret",
  HOLDFAST_WEBHOOK_TIMEOUT_MS: "200",
  HOLDFAST_MEMORY_MAX_BYTES: "2000000",
  HOLDFAST_LOG_MAX_BYTES: "70000",
  HOLDFAST_LOGS_MAX_BYTES: "70000000",
  HOLDFAST_HOST: "::1",
  HOLDFAST_PORT: "0",
  HOLDFAST_TOKENS_FILE: "env.tokens",
  HOLDFAST_CORS_ORIGINS: "https://a.example,https://b.example",
  HOLDFAST_DASHBOARD: "false",
};

const CONTENT = {
  db: "file/queue.db",
  handlers: "file.ts",
  modules: "file.json",
  retention: ["failed:90d"],
  durability: "relaxed",
  payload_max_bytes: 2000,
  worker_id: "file-worker",
  scheduling_strategy: "fifo",
  lease_duration_ms: 3000,
  concurrency: 3,
  capabilities: { gpu: false },
  poll_interval_ms: 30,
  webhook_allowed_hosts: ["file.example.com"],
  webhook_secret_file: "file.secret",
  webhook_timeout_ms: 300,
  memory_max_bytes: 3_000_000,
  log_max_bytes: 80_000,
  logs_max_bytes: 80_000_000,
  host: "localhost",
  port: 8000,
  tokens_file: "file.tokens",
  cors_origins: ["https://file.example"],
  dashboard: false,
};

const file = { name: '"worker.json"', content: CONTENT };

Deno.test("resolveProject() without sources gives the defaults", () => {
  const { leaseDurationMs, concurrency, pollIntervalMs } = WORKER_DEFAULTS;
  assertEquals(configOf(), {
    db: "data/queue.db",
    handlers: undefined,
    modules: undefined,
    retention: ["30d", "keep:100000"],
    durability: "full",
    payloadMaxBytes: 256 * 1024,
    host: "127.0.0.1",
    port: 8787,
    tokensFile: undefined,
    corsOrigins: [],
    dashboard: true,
    workerId: undefined,
    strategy: "priority",
    leaseDurationMs,
    concurrency,
    capabilities: {},
    pollIntervalMs,
    webhookAllowedHosts: [],
    webhookSecretFile: undefined,
    webhookTimeoutMs: 10_000,
    memoryMaxBytes: 1280 * 1024 * 1024,
    logMaxBytes: 16 * 1024 * 1024,
    logsMaxBytes: 4 * 1024 ** 3,
  });
});

Deno.test("resolveProject() reads every variable and every field", () => {
  assertEquals(Object.keys(ENV).sort(), [...PROJECT_VARIABLES].sort());
  assertEquals(configOf({ env: ENV }), {
    db: "env/queue.db",
    handlers: "env.ts",
    modules: "env.json",
    retention: ["completed:7d", "keep:5"],
    durability: "relaxed",
    payloadMaxBytes: 1000,
    host: "::1",
    port: 0,
    tokensFile: "env.tokens",
    corsOrigins: ["https://a.example", "https://b.example"],
    dashboard: false,
    workerId: "env-worker",
    strategy: "lifo",
    leaseDurationMs: 2000,
    concurrency: 2,
    capabilities: { gpu: true },
    pollIntervalMs: 20,
    webhookAllowedHosts: ["hooks.example.com", "10.0.0.1:8443", "::1"],
    webhookSecretFile: "env.secret",
    webhookTimeoutMs: 200,
    memoryMaxBytes: 2_000_000,
    logMaxBytes: 70_000,
    logsMaxBytes: 70_000_000,
  });
  assertEquals(configOf({ file }), {
    db: "file/queue.db",
    handlers: "file.ts",
    modules: "file.json",
    retention: ["failed:90d"],
    durability: "relaxed",
    payloadMaxBytes: 2000,
    host: "localhost",
    port: 8000,
    tokensFile: "file.tokens",
    corsOrigins: ["https://file.example"],
    dashboard: false,
    workerId: "file-worker",
    strategy: "fifo",
    leaseDurationMs: 3000,
    concurrency: 3,
    capabilities: { gpu: false },
    pollIntervalMs: 30,
    webhookAllowedHosts: ["file.example.com"],
    webhookSecretFile: "file.secret",
    webhookTimeoutMs: 300,
    memoryMaxBytes: 3_000_000,
    logMaxBytes: 80_000,
    logsMaxBytes: 80_000_000,
  });
});

Deno.test("options go before the environment, the environment before the file", () => {
  const options = { concurrency: 1, workerId: undefined };
  const env = { HOLDFAST_CONCURRENCY: "2", HOLDFAST_LEASE_DURATION_MS: "2000" };
  const config = configOf({ options, env, file });
  assertEquals(
    [config.concurrency, config.leaseDurationMs, config.pollIntervalMs, config.workerId],
    [1, 2000, 30, "file-worker"],
  );
});

Deno.test("an empty variable counts as unset", () => {
  const env = { HOLDFAST_CONCURRENCY: " ", HOLDFAST_WORKER_ID: "" };
  assertEquals(configOf({ env, file }).concurrency, 3);
});

const WRONG_VARIABLES: readonly (readonly [string, string, string])[] = [
  ["HOLDFAST_CONCURRENCY", "many", 'HOLDFAST_CONCURRENCY: "many": an integer from 1 to 1000'],
  ["HOLDFAST_CONCURRENCY", "0", 'HOLDFAST_CONCURRENCY: "0": an integer from 1 to 1000 is needed'],
  ["HOLDFAST_CONCURRENCY", "2.5", 'HOLDFAST_CONCURRENCY: "2.5": an integer from 1 to 1000'],
  ["HOLDFAST_LEASE_DURATION_MS", "99", "an integer from 100 to 86400000 is needed"],
  [
    "HOLDFAST_SCHEDULING_STRATEGY",
    "best",
    'HOLDFAST_SCHEDULING_STRATEGY: "best": allowed are "fifo", "lifo", "weighted_random", "priority"',
  ],
  ["HOLDFAST_CAPABILITIES", "{gpu", 'HOLDFAST_CAPABILITIES: "{gpu": a JSON object is needed'],
  ["HOLDFAST_CAPABILITIES", "[1]", 'HOLDFAST_CAPABILITIES: "[1]": a JSON object is needed'],
  ["HOLDFAST_WORKER_ID", "x".repeat(201), "a string of 1 to 200 characters is needed"],
  [
    "HOLDFAST_WEBHOOK_ALLOWED_HOSTS",
    "a.example,https://b.example",
    'HOLDFAST_WEBHOOK_ALLOWED_HOSTS: "a.example,https://b.example": a host name such as',
  ],
  ["HOLDFAST_WEBHOOK_TIMEOUT_MS", "99", "an integer from 100 to 60000 is needed"],
  ["HOLDFAST_POLL_INTERVAL_MS", "-1", 'HOLDFAST_POLL_INTERVAL_MS: "-1": an integer from 1 to'],
];

for (const [variable, text, message] of WRONG_VARIABLES) {
  Deno.test(`resolveProject() refuses ${variable}=${text.slice(0, 20)}`, () => {
    const resolve = (): unknown => configOf({ env: { [variable]: text } });
    const error = assertThrows(resolve, TypeError, message);
    assertEquals(
      error.message.startsWith("Cannot configure Holdfast from the environment: "),
      true,
    );
  });
}

const WRONG_FILES: readonly (readonly [unknown, string])[] = [
  [5, '"worker.json": 5: an object is needed'],
  [{ retention: ["30"] }, 'retention.0: "30": a rule such as 30d, failed:90d, keep:1000'],
  [{ retention: "30d" }, 'retention: "30d": '],
  [{ db: 5 }, "db: 5: a path or an address such as postgres://user@host/database is needed"],
  [{ port: 65_536 }, "port: 65536: an integer from 0 to 65535 is needed"],
  [{ dashboard: "no" }, 'dashboard: "no": true or false is needed'],
  [{ handlres: "x" }, 'unknown are "handlres", known are db, handlers, modules'],
  [{ concurrency: "4" }, 'concurrency: "4": an integer from 1 to 1000 is needed'],
  [{ scheduling_strategy: 1 }, 'scheduling_strategy: 1: allowed are "fifo"'],
  [{ worker_id: " " }, 'worker_id: " ": a string of 1 to 200 characters is needed'],
  [{ webhook_allowed_hosts: "x" }, 'webhook_allowed_hosts: "x": a list of hosts is needed'],
  [
    { webhook_allowed_hosts: ["x", "a b"] },
    'webhook_allowed_hosts.1: "a b": a host name such as hooks.example.com, perhaps with a port',
  ],
  [{ webhook_secret_file: " " }, 'webhook_secret_file: " ": the path of a file is needed'],
  [{ webhook_secret: "x" }, 'unknown are "webhook_secret"'],
  [
    { lease_duration_seconds: 60 },
    "; lease_duration_seconds is lease_duration_ms, in milliseconds",
  ],
  [{ max_retries: 3 }, "; max_retries is max_attempts of a task"],
  [{ capabilities: [] }, "capabilities: []: a JSON object is needed"],
  [
    { lease_ms: 5 },
    'unknown are "lease_ms", known are db, handlers, modules, retention',
  ],
  [{ concurrency: 0, poll_interval_ms: 0 }, "1000 is needed; poll_interval_ms: 0: an integer"],
];

for (const [content, message] of WRONG_FILES) {
  Deno.test(`resolveProject() refuses a file with ${JSON.stringify(content)}`, () => {
    const resolve = (): unknown => configOf({ file: { name: '"worker.json"', content } });
    assertThrows(resolve, TypeError, message);
  });
}

Deno.test("resolveProject() refuses options out of their range", () => {
  const resolve = (): unknown => configOf({ options: { concurrency: 1001 } });
  assertThrows(resolve, TypeError, "the options: concurrency: 1001: an integer");
});

const FILES: Readonly<Record<string, string>> = {
  "worker.json": JSON.stringify({ $schema: "https://x.example/s.json", ...CONTENT }),
  "worker.yaml": toYaml(CONTENT),
  "worker.toml": toToml(CONTENT),
};

for (const [name, text] of Object.entries(FILES)) {
  Deno.test(`readProject() reads ${name}`, async () => {
    await withFile(name, text, async (path) => {
      const here = (inner: string): string => join(dirname(path), inner);
      const expected = { ...configOf({ file }), db: here("file/queue.db") };
      for (const field of ["handlers", "modules", "webhookSecretFile", "tokensFile"] as const) {
        expected[field] = here(expected[field]!);
      }
      assertEquals(await readProject({ file: path, env: {} }), expected);
    });
  });
}

for (
  const [name, text, message] of [
    ["broken.json", "{", "Cannot configure Holdfast from"],
    ["broken.yaml", "a: [", "Cannot configure Holdfast from"],
    ["broken.toml", "a =", "Cannot configure Holdfast from"],
    ["worker.ini", "a=1", "its name ends in none of .json, .yaml, .yml, .toml"],
  ] as const
) {
  Deno.test(`readProject() refuses ${name} in one line`, async () => {
    await withFile(name, text, async (path) => {
      const read = (): Promise<unknown> => readProject({ file: path, env: {} });
      const error = await assertRejects(read, TypeError, message);
      assertEquals(error.message.includes("\n"), false);
    });
  });
}

Deno.test("readProject() refuses a file that is missing", async () => {
  const read = (): Promise<unknown> => readProject({ file: "no such file.json", env: {} });
  await assertRejects(read, TypeError, 'Cannot configure Holdfast from "no such file.json"');
});

async function withFile(
  name: string,
  text: string,
  test: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast config ü " });
  try {
    const path = join(folder, name);
    await Deno.writeTextFile(path, text);
    await test(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openProject() finds the file and the handlers of a folder, and says who said what", async () => {
  await withFile(
    "holdfast.toml",
    'db = "postgres://u:secret@h/d"\nconcurrency = 3\n',
    async (path) => {
      const folder = dirname(path);
      await Deno.writeTextFile(join(folder, "handlers.ts"), "");
      const project = await openProject({ folder, env: { HOLDFAST_PORT: "1" } });
      const { config, from } = project.resolve({ workerId: "w", port: undefined });
      assertEquals(project.file, path);
      assertEquals(
        [config.db, config.handlers, config.concurrency, config.port],
        ["postgres://u:secret@h/d", join(folder, "handlers.ts"), 3, 1],
      );
      assertEquals(
        [from.workerId, from.port, from.concurrency, from.host],
        ["option", "environment", "file", "default"],
      );
      assertEquals(project.resolve({ modules: "m.json" }).config.handlers, undefined);
    },
  );
});

Deno.test("openProject() refuses two files in a folder, and names both", async () => {
  await withFile("holdfast.toml", "", async (path) => {
    await Deno.writeTextFile(join(dirname(path), "holdfast.yml"), "");
    const open = (): Promise<unknown> => openProject({ folder: dirname(path), env: {} });
    const error = await assertRejects(open, TypeError, "one file is needed");
    for (const name of ["holdfast.toml", "holdfast.yml"]) assertStringIncludes(error.message, name);
  });
});

Deno.test("openProject() needs no file, and an empty one says nothing", async () => {
  await withFile("holdfast.yaml", "", async (path) => {
    assertEquals((await openProject({ file: path, env: {} })).resolve().config, configOf());
    await Deno.remove(path);
    const none = await openProject({ folder: dirname(path), env: {} });
    assertEquals([none.file, none.resolve()], [null, resolveProject()]);
  });
});

Deno.test("every default is one that a file may say", () => {
  const said = Object.values(SETTINGS).filter(({ byDefault }) => byDefault !== undefined)
    .map(({ field, byDefault }) => [field, byDefault]);
  const content = Object.fromEntries(said);
  assertEquals(configOf({ file: { name: "x", content } }), configOf());
});
