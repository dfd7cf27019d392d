/**
 * `resolveWorkerConfig`: options over environment over file over defaults, and precise refusals.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readWorkerConfig, resolveWorkerConfig, WORKER_DEFAULTS } from "../../src/mod.ts";
import { WORKER_CONFIG_VARIABLES } from "../../src/worker/worker_config.ts";

const ENV = {
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
};

const CONTENT = {
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
};

const file = { name: '"worker.json"', content: CONTENT };

Deno.test("resolveWorkerConfig() without sources gives the defaults", () => {
  const { leaseDurationMs, concurrency, pollIntervalMs } = WORKER_DEFAULTS;
  assertEquals(resolveWorkerConfig(), {
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
  });
});

Deno.test("resolveWorkerConfig() reads every variable and every field", () => {
  assertEquals(Object.keys(ENV).sort(), [...WORKER_CONFIG_VARIABLES].sort());
  assertEquals(resolveWorkerConfig({ env: ENV }), {
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
  });
  assertEquals(resolveWorkerConfig({ file }), {
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
  });
});

Deno.test("options go before the environment, the environment before the file", () => {
  const options = { concurrency: 1, workerId: undefined };
  const env = { HOLDFAST_CONCURRENCY: "2", HOLDFAST_LEASE_DURATION_MS: "2000" };
  const config = resolveWorkerConfig({ options, env, file });
  assertEquals(
    [config.concurrency, config.leaseDurationMs, config.pollIntervalMs, config.workerId],
    [1, 2000, 30, "file-worker"],
  );
});

Deno.test("an empty variable counts as unset", () => {
  const env = { HOLDFAST_CONCURRENCY: " ", HOLDFAST_WORKER_ID: "" };
  assertEquals(resolveWorkerConfig({ env, file }).concurrency, 3);
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
  Deno.test(`resolveWorkerConfig() refuses ${variable}=${text.slice(0, 20)}`, () => {
    const resolve = (): unknown => resolveWorkerConfig({ env: { [variable]: text } });
    const error = assertThrows(resolve, TypeError, message);
    assertEquals(
      error.message.startsWith("Cannot configure the worker from the environment: "),
      true,
    );
  });
}

const WRONG_FILES: readonly (readonly [unknown, string])[] = [
  [5, '"worker.json": 5: an object is needed'],
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
    'unknown are "lease_ms", known are worker_id, scheduling_strategy, lease_duration_ms',
  ],
  [{ concurrency: 0, poll_interval_ms: 0 }, "1000 is needed; poll_interval_ms: 0: an integer"],
];

for (const [content, message] of WRONG_FILES) {
  Deno.test(`resolveWorkerConfig() refuses a file with ${JSON.stringify(content)}`, () => {
    const resolve = (): unknown =>
      resolveWorkerConfig({ file: { name: '"worker.json"', content } });
    assertThrows(resolve, TypeError, message);
  });
}

Deno.test("resolveWorkerConfig() refuses options out of their range", () => {
  const resolve = (): unknown => resolveWorkerConfig({ options: { concurrency: 1001 } });
  assertThrows(resolve, TypeError, "the worker's options: concurrency: 1001: an integer");
});

const FILES: Readonly<Record<string, string>> = {
  "worker.json": JSON.stringify(CONTENT),
  "worker.yaml": `worker_id: file-worker\nscheduling_strategy: fifo\nlease_duration_ms: 3000
concurrency: 3\ncapabilities: { gpu: false }\npoll_interval_ms: 30
webhook_allowed_hosts: [file.example.com]\nwebhook_secret_file: file.secret\nwebhook_timeout_ms: 300\nmemory_max_bytes: 3000000\nlog_max_bytes: 80000\n`,
  "worker.toml": `worker_id = "file-worker"\nscheduling_strategy = "fifo"\nlease_duration_ms = 3_000
concurrency = 3\npoll_interval_ms = 30\nwebhook_allowed_hosts = ["file.example.com"]
webhook_secret_file = "file.secret"\nwebhook_timeout_ms = 300\nmemory_max_bytes = 3000000\nlog_max_bytes = 80000\n[capabilities]\ngpu = false\n`,
};

for (const [name, text] of Object.entries(FILES)) {
  Deno.test(`readWorkerConfig() reads ${name}`, async () => {
    await withFile(name, text, async (path) => {
      assertEquals(await readWorkerConfig({ file: path, env: {} }), resolveWorkerConfig({ file }));
    });
  });
}

for (
  const [name, text, message] of [
    ["broken.json", "{", "Cannot configure the worker from"],
    ["broken.yaml", "a: [", "Cannot configure the worker from"],
    ["broken.toml", "a =", "Cannot configure the worker from"],
    ["worker.ini", "a=1", "its name ends in none of .json, .yaml, .yml, .toml"],
  ] as const
) {
  Deno.test(`readWorkerConfig() refuses ${name} in one line`, async () => {
    await withFile(name, text, async (path) => {
      const read = (): Promise<unknown> => readWorkerConfig({ file: path, env: {} });
      const error = await assertRejects(read, TypeError, message);
      assertEquals(error.message.includes("\n"), false);
    });
  });
}

Deno.test("readWorkerConfig() refuses a file that is missing", async () => {
  const read = (): Promise<unknown> => readWorkerConfig({ file: "no such file.json", env: {} });
  await assertRejects(read, TypeError, 'Cannot configure the worker from "no such file.json"');
});

async function withFile(
  name: string,
  text: string,
  test: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast config ü " });
  try {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, text);
    await test(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
