/**
 * `holdfast enqueue`: what it stores, what it answers, and what it refuses.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openQueue } from "../../src/mod.ts";
import { type Json, Scratch } from "./cli_harness.ts";

const COLUMNS = [
  "id",
  "run_id",
  "type",
  "priority",
  "payload",
  "compatibility",
  "status",
  "attempts",
  "max_attempts",
  "waits_for",
  "run_after_utc",
  "lease_until_utc",
  "reserved_at_utc",
  "processing_started_utc",
  "finished_at_utc",
  "created_at_utc",
  "updated_at_utc",
  "locked_by",
  "error_message",
  "idempotency_key",
  "result",
  "progress_percent",
  "progress_message",
  "lease_token",
  "retry_policy",
  "timeout_ms",
  "group",
  "expires_at",
  "trace_parent",
  "unique_key",
  "ordering_key",
  "on_predecessor_failure",
  "tags",
  "ordering_place",
];

Deno.test("enqueue stores what the options say and answers with the task", async () => {
  await using scratch = new Scratch();
  const { code, doc } = await scratch.json([
    "enqueue",
    "email",
    ...["--payload", '{"to":"ä@b.c"}', "--priority", "7", "--key", "k1"],
    ...["--max-attempts", "3", "--run-id", "r-1"],
  ]);
  assertEquals(code, 0);
  assertEquals(doc.created, true);
  assertEquals(Object.keys(doc.task).sort(), COLUMNS.toSorted());
  const { type, payload, priority, idempotency_key, max_attempts, run_id, status } = doc.task;
  assertEquals(
    { type, payload, priority, idempotency_key, max_attempts, run_id, status },
    {
      type: "email",
      payload: { to: "ä@b.c" },
      priority: 7,
      idempotency_key: "k1",
      max_attempts: 3,
      run_id: "r-1",
      status: "queued",
    },
  );
  assertMatch(doc.task.created_at_utc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals((await scratch.json(["show", String(doc.task.id)])).doc, doc.task);
});

/** What the queue of `scratch` tells of task `id` once it is cancelled. */
async function toldOf(scratch: Scratch, id: number): Promise<unknown> {
  await scratch.run(["cancel", String(id)]);
  const { doc } = await scratch.json(["list", "--type", "holdfast.webhook"]);
  return doc.tasks.map(({ payload }: Json) => [payload.url, payload.event, payload.task.id]);
}

/** How task `id` is retried; no command shows it. */
async function retryPolicyOf(scratch: Scratch, id: number): Promise<unknown> {
  const queue = await openQueue(scratch.db);
  try {
    return (await queue.get(id))!.retryPolicy;
  } finally {
    await queue.close();
  }
}

Deno.test("enqueue and a batch file take a webhook and a retry policy", async () => {
  await using scratch = new Scratch();
  const url = "https://hooks.example.com/done";
  const policy = ["--retry-delay", "1.5s", "--retry-multiplier", "1.5", "--retry-max-delay", "1m"];
  const webhook = ["--webhook", url, "--webhook-events", "cancelled", "failed"];
  assertEquals((await scratch.run(["enqueue", "email", ...webhook, ...policy])).code, 0);
  assertEquals(await retryPolicyOf(scratch, 1), {
    initialDelayMs: 1500,
    multiplier: 1.5,
    maxDelayMs: 60_000,
  });
  assertEquals(await toldOf(scratch, 1), [[url, "task.cancelled", 1]]);
  const line = { type: "email", webhook: { url }, retry_policy: { initial_delay_ms: 5 } };
  const files = { "-": JSON.stringify(line) };
  assertEquals((await scratch.run(["enqueue", "--batch", "-"], { files })).code, 0);
  assertEquals(await retryPolicyOf(scratch, 3), {
    initialDelayMs: 5,
    multiplier: 2,
    maxDelayMs: 300_000,
  });
  assertEquals(await toldOf(scratch, 3), [
    [url, "task.cancelled", 3],
    [url, "task.cancelled", 1],
  ]);
});

for (
  const [args, message] of [
    [["--webhook", "hooks.example.com"], '"hooks.example.com" as webhook url'],
    [["--webhook", "https://x.example", "--webhook-events", "queued"], "completed, failed"],
    [["--webhook-events", "failed"], "--webhook-events needs a --webhook"],
    [["--retry-delay", "8d"], "A duration from 0 to 604800000 ms is needed"],
    [["--retry-multiplier", "0.5"], "A number from 1 to 100 is needed"],
  ] as const
) {
  Deno.test(`enqueue refuses ${args.join(" ")} with 2`, async () => {
    await using scratch = new Scratch();
    const { code, err } = await scratch.run(["enqueue", "email", ...args]);
    assertEquals(code, 2);
    assertStringIncludes(err, message);
  });
}

Deno.test("enqueue says in words which task it stored", async () => {
  await using scratch = new Scratch();
  const { code, out, err } = await scratch.run(["enqueue", "email", "--run-id", "r-1"]);
  assertEquals([code, out, err], [0, "task 1 is queued (run r-1)\n", ""]);
});

Deno.test("enqueue with a known key gives the task that is there", async () => {
  await using scratch = new Scratch();
  const first = await scratch.json(["enqueue", "email", "--key", "k"]);
  const second = await scratch.json(["enqueue", "email", "--key", "k"]);
  assertEquals([second.code, second.doc.created], [0, false]);
  assertEquals(second.doc.task.id, first.doc.task.id);
});

Deno.test("enqueue with a known key and other content is refused with 1", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "email", "--key", "k"]);
  const { code, out, err } = await scratch.run([
    "enqueue",
    "email",
    ...["--key", "k", "--payload", "1", "--json"],
  ]);
  assertEquals([code, out], [1, ""]);
  assertMatch(err, /^holdfast: [^\n]+\n$/);
  assertEquals((await scratch.json(["list"])).doc.total, 1);
});

Deno.test("enqueue takes a payload from a file and from standard input", async () => {
  await using scratch = new Scratch();
  const files = { "p.json": "\uFEFF[1]\r\n", "-": '{"from":"stdin"}' };
  const fromFile = await scratch.json(["enqueue", "t", "--payload-file", "p.json"], { files });
  const fromInput = await scratch.json(["enqueue", "t", "--payload-file", "-"], { files });
  assertEquals(fromFile.doc.task.payload, [1]);
  assertEquals(fromInput.doc.task.payload, { from: "stdin" });
});

for (
  const [text, laterMs] of [["+10s", 1e4], ["+5m", 3e5], ["+2h", 72e5], ["+1d", 864e5], [
    "+500ms",
    500,
  ]] as const
) {
  Deno.test(`enqueue --run-after ${text} waits that long`, async () => {
    await using scratch = new Scratch();
    const before = Date.now();
    const { doc } = await scratch.json(["enqueue", "t", "--run-after", text]);
    const runAfter = Date.parse(doc.task.run_after_utc) - laterMs;
    assert(runAfter >= before && runAfter <= Date.now(), doc.task.run_after_utc);
  });
}

Deno.test("enqueue --run-after takes an ISO instant", async () => {
  await using scratch = new Scratch();
  const { doc } = await scratch.json(["enqueue", "t", "--run-after", "2099-01-02T03:04:05+01:00"]);
  assertEquals(doc.task.run_after_utc, "2099-01-02T02:04:05.000Z");
});

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "no type": ["enqueue"],
  "a blank type": ["enqueue", "  "],
  "a type of 201 characters": ["enqueue", "x".repeat(201)],
  "priority 0": ["enqueue", "t", "--priority", "0"],
  "priority -1": ["enqueue", "t", "--priority", "-1"],
  "priority 1001": ["enqueue", "t", "--priority", "1001"],
  "priority 1.5": ["enqueue", "t", "--priority", "1.5"],
  "a priority in words": ["enqueue", "t", "--priority", "high"],
  "no attempts": ["enqueue", "t", "--max-attempts", "0"],
  "a number that would be rounded": ["enqueue", "t", "--payload", "[12345678901234567890]"],
  "a number without end": ["enqueue", "t", "--payload", '{"n":1e999}'],
  "a payload that is not JSON": ["enqueue", "t", "--payload", "{to:1}"],
  "a NaN payload": ["enqueue", "t", "--payload", "NaN"],
  "an empty payload": ["enqueue", "t", "--payload", ""],
  "a payload of 300 KiB": ["enqueue", "t", "--payload-file", "300KiB"],
  "a payload file that is missing": ["enqueue", "t", "--payload-file", "no such file"],
  "two payloads": ["enqueue", "t", "--payload", "1", "--payload-file", "300KiB"],
  "an instant without a zone": ["enqueue", "t", "--run-after", "2099-01-01T00:00:00"],
  "an instant in words": ["enqueue", "t", "--run-after", "tomorrow"],
  "a delay without a unit": ["enqueue", "t", "--run-after", "+10"],
  "a delay without end": ["enqueue", "t", "--run-after", "+99999999999999d"],
  "a blank run id": ["enqueue", "t", "--run-id", " "],
  "a batch and a type": ["enqueue", "t", "--batch", "batch"],
  "a batch and a priority": ["enqueue", "--batch", "batch", "--priority", "1"],
  "a batch file that is missing": ["enqueue", "--batch", "no such file"],
  "two types": ["enqueue", "t", "u"],
  "an unknown option": ["enqueue", "t", "--prioritty", "1"],
};

for (const [what, args] of Object.entries(REFUSED)) {
  Deno.test(`enqueue refuses ${what} with 2 and changes nothing`, async () => {
    await using scratch = new Scratch();
    await scratch.makeQueue();
    const files = { "300KiB": JSON.stringify("x".repeat(300 * 1024)), batch: '{"type":"t"}' };
    const { code, out, err } = await scratch.run([...args, "--json"], { files });
    assertEquals([code, out], [2, ""]);
    assertMatch(err, /^holdfast: [^\n]+\n$/);
    assertEquals((await scratch.json(["list"])).doc.total, 0);
  });
}

for (
  const [shell, args, hint] of [
    ["cmd.exe", ["--payload", "'{path:README.md}'"], "may have taken its quotes"],
    ["PowerShell 5.1", ["--payload", "{path:README.md}"], "'{\\\"key\\\":1}' in PowerShell"],
    ["cmd.exe, with a blank", ["--payload", "'{path:", "README.md}'"], "too many arguments"],
    [
      "cmd.exe, with a blank",
      ["--payload", "'{path:", "README.md}'"],
      '"{\\"key\\":1}" in cmd.exe',
    ],
  ] as const
) {
  Deno.test(`enqueue says what to type when ${shell} has changed a payload: ${hint}`, async () => {
    await using scratch = new Scratch();
    const { code, err } = await scratch.run(["enqueue", "t", ...args]);
    assertEquals(code, 2);
    assertStringIncludes(err, hint);
  });
}

Deno.test("enqueue gives no advice about shells where JSON has another fault", async () => {
  await using scratch = new Scratch();
  for (const payload of ['{"a":1', '{"a":}', "nothing"]) {
    const { err } = await scratch.run(["enqueue", "t", "--payload", payload]);
    assertStringIncludes(err, "--payload is not JSON");
    assert(!err.includes("shell"), err);
  }
});

Deno.test("enqueue --payload - reads standard input", async () => {
  await using scratch = new Scratch();
  const { code } = await scratch.run(["enqueue", "t", "--payload", "-"], {
    files: { "-": '{"n":-1}\r\n' },
  });
  assertEquals(code, 0);
  assertEquals((await scratch.json(["show", "1"])).doc.payload, { n: -1 });
});

Deno.test("enqueue takes files in UTF-16 by their mark, and refuses bytes that are not UTF-8", async () => {
  await using scratch = new Scratch();
  const [wide, wrong] = [scratch.path("wide.json"), scratch.path("wrong.json")];
  const text = '\ufeff{"type":"t","payload":"ü€"}';
  const units = Uint16Array.from(text, (unit) => unit.charCodeAt(0));
  await Deno.writeFile(wide, new Uint8Array(units.buffer));
  await Deno.writeFile(wrong, Uint8Array.from([0x22, 0xfc, 0x22]));
  assertEquals((await scratch.run(["enqueue", "--batch", wide])).code, 0);
  assertEquals((await scratch.json(["show", "1"])).doc.payload, "ü€");
  for (const args of [["t", "--payload-file", wrong], ["--batch", wrong]]) {
    const { code, err } = await scratch.run(["enqueue", ...args]);
    assertEquals(code, 2);
    assertStringIncludes(err, "it is not UTF-8: byte 1 is 0xfc; save the file as UTF-8");
  }
  assertEquals((await scratch.json(["list"])).doc.total, 1);
});

Deno.test("enqueue --batch stores every line, whatever its line end", async () => {
  await using scratch = new Scratch();
  const batch = [
    '\uFEFF{"type":"a","payload":{"n":1},"priority":5,"idempotency_key":"k","max_attempts":2}',
    "",
    '{"type":"b","run_after":"+1h","run_id":"r-2","compatibility":{"gpu":true},"timeout_ms":50}',
    '{"type":"a","payload":{"n":1},"idempotency_key":"k"}',
    "",
  ].join("\r\n");
  const { code, doc } = await scratch.json(["enqueue", "--batch", "-"], { files: { "-": batch } });
  assertEquals([code, doc.created, doc.existing, doc.tasks.length], [0, 2, 1, 3]);
  assertEquals(doc.tasks[2], { ...doc.tasks[0], created: false, outcome: "existing" });
  const a = (await scratch.json(["show", String(doc.tasks[0].id)])).doc;
  assertEquals([a.type, a.payload, a.priority, a.max_attempts], ["a", { n: 1 }, 5, 2]);
  const b = (await scratch.json(["show", "r-2"])).doc;
  assertEquals([b.type, b.compatibility], ["b", { gpu: true }]);
});

const BAD_LINES: Readonly<Record<string, readonly [string, string]>> = {
  "is not a JSON": ["{", "line 2 is not JSON"],
  "is not an object": ["[]", "line 2: "],
  "has no type": ['{"payload":1}', "line 2: type"],
  "has an unknown field": ['{"type":"t","prioritty":1}', "prioritty"],
  "has a priority in words": ['{"type":"t","priority":"1"}', "line 2: priority"],
  "has priority 0": ['{"type":"t","priority":0}', "priority"],
  "has a blank type": ['{"type":" "}', "type"],
  "has a webhook without URL": ['{"type":"t","webhook":{}}', "line 2: webhook.url"],
  "has a webhook that cannot be": ['{"type":"t","webhook":{"url":"x"}}', '"x" as webhook url'],
  "has an unknown event": [
    '{"type":"t","webhook":{"url":"https://x.example","events":["done"]}}',
    "line 2: webhook.events.0",
  ],
  "has a retry policy out of its range": [
    '{"type":"t","retry_policy":{"multiplier":0}}',
    "line 2: Cannot use 0 as multiplier",
  ],
};

for (const [what, [line, message]] of Object.entries(BAD_LINES)) {
  Deno.test(`enqueue --batch stores nothing when a line ${what}`, async () => {
    await using scratch = new Scratch();
    await scratch.makeQueue();
    const files = { batch: `{"type":"t"}\n${line}\n` };
    const { code, out, err } = await scratch.run(["enqueue", "--batch", "batch"], { files });
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, message);
    assertEquals((await scratch.json(["list"])).doc.total, 0);
  });
}

Deno.test("enqueue --batch with no lines stores nothing", async () => {
  await using scratch = new Scratch();
  const { code, doc } = await scratch.json(["enqueue", "--batch", "-"], { files: { "-": "\n" } });
  assertEquals([code, doc], [0, { created: 0, existing: 0, tasks: [] }]);
});

Deno.test("enqueue --depends-on waits for tasks by their ids and run ids", async () => {
  await using scratch = new Scratch();
  await scratch.run(["enqueue", "first", "--run-id", "7"]);
  await scratch.run(["enqueue", "second"]);
  const waiting = ["enqueue", "third", "--depends-on", "run:7", "2", "--on-parent-failure", "run"];
  const { code, doc } = await scratch.json(waiting);
  assertEquals([code, doc.task.waits_for], [0, 2]);
  const { doc: explained } = await scratch.json(["explain", "3"]);
  assertEquals(explained.reason, "waiting_for_parents");
  const unknown = await scratch.run(["enqueue", "fourth", "--depends-on", "99"]);
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.err, "99");
});

Deno.test("enqueue --batch takes tasks that depend on each other, in any order", async () => {
  await using scratch = new Scratch();
  const lines = [
    { type: "last", depends_on: ["a"], on_parent_failure: "skip" },
    { type: "first", run_id: "a" },
  ];
  const files = { "-": lines.map((line) => JSON.stringify(line)).join("\n") };
  assertEquals((await scratch.run(["enqueue", "--batch", "-"], { files })).code, 0);
  assertEquals((await scratch.json(["show", "1"])).doc.waits_for, 1);
});
