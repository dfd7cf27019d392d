/**
 * `holdfast schedule`.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Scratch } from "./cli_harness.ts";

const NIGHTLY = ["schedule", "add", "nightly", "report", "--cron", "30 2 * * *"];

Deno.test("schedule add, list, pause, resume and remove", async () => {
  await using scratch = new Scratch();
  const added = await scratch.json([...NIGHTLY, "--payload", '{"n":1}', "--priority", "7"]);
  assertEquals([added.code, added.doc.created, added.doc.schedule.payload], [0, true, { n: 1 }]);
  assertMatch(
    (await scratch.run(["schedule", "list"])).out,
    /^nightly: report at 30 2 \* \* \* in UTC, next .*T02:30:00\.000Z, fired 0 times\n$/,
  );
  assertMatch((await scratch.run(["schedule", "pause", "nightly"])).out, /, paused, /);
  assertMatch((await scratch.run(["schedule", "resume", "nightly"])).out, /, next .*Z, /);
  assertEquals((await scratch.json(["schedule", "remove", "nightly"])).doc, { removed: true });
  assertEquals((await scratch.run(["schedule", "list"])).out, "there are no schedules\n");
});

Deno.test("schedule list gives pages, and says where the next one begins", async () => {
  await using scratch = new Scratch();
  for (const id of ["a b", "c"]) await scratch.run(["schedule", "add", id, "t", "--every", "5m"]);
  const { out, err } = await scratch.run(["schedule", "list", "--limit", "1"]);
  assertMatch(out, /^a b: t /);
  assertMatch(err, /^the next ones: --cursor ['"]a b['"]\n$/);
  const last = await scratch.json(["schedule", "list", "--cursor", "a b"]);
  assertEquals([last.doc.schedules[0].id, last.doc.next_cursor, last.err], ["c", null, ""]);
});

Deno.test("schedule add takes a webhook for its tasks", async () => {
  await using scratch = new Scratch();
  const url = "https://hooks.example.com/done";
  const { code, doc } = await scratch.json([...NIGHTLY, "--webhook", url]);
  assertEquals([code, doc.schedule.webhook], [0, {
    url,
    events: ["completed", "failed", "cancelled"],
  }]);
  const events = [...NIGHTLY, "--replace", "--webhook", url, "--webhook-events", "failed"];
  assertEquals((await scratch.json(events)).doc.schedule.webhook.events, ["failed"]);
  assertEquals((await scratch.run([...NIGHTLY, "--webhook-events", "failed"])).code, 2);
});

Deno.test("schedule add refuses what cannot be, with 2, and another schedule of that name, with 1", async () => {
  await using scratch = new Scratch();
  for (
    const [args, message] of [
      [["--cron", "x y"], /"x y" as cron/],
      [["--cron", "@daily", "--every", "5m"], /exactly one of --cron and --every/],
      [[], /exactly one of --cron and --every/],
      [["--cron", "@daily", "--time-zone", "Mars"], /"Mars" as timeZone/],
      [["--every", "soon"], /duration/],
    ] as const
  ) {
    const { code, out, err } = await scratch.run(["schedule", "add", "s", "t", ...args]);
    assertEquals([code, out], [2, ""], err);
    assertMatch(err, message);
    assertEquals([...Deno.readDirSync(scratch.folder)], [], "a refusal made a queue");
  }
  assertEquals((await scratch.run(NIGHTLY)).code, 0);
  assertEquals((await scratch.run(NIGHTLY)).code, 0);
  const other = [...NIGHTLY, "--overlap"];
  assertEquals((await scratch.run(other)).code, 1);
  assertEquals((await scratch.run([...other, "--replace"])).code, 0);
});

Deno.test("an unknown schedule is 3", async () => {
  await using scratch = new Scratch();
  await scratch.run(NIGHTLY);
  for (const act of ["pause", "resume", "remove"]) {
    const { code, err } = await scratch.run(["schedule", act, "none"]);
    assertEquals([code, err], [3, 'holdfast: there is no schedule "none"\n']);
  }
});
