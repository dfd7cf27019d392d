/**
 * The plan of a schedule: daylight saving, month ends, leap days, downtime.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { checkCron, instantsBefore, nextInstant } from "../../src/queue_policy/cron.ts";
import { type LastTask, type Plan, planSchedule } from "../../src/queue_policy/schedule_plan.ts";

/** The instants of an expression after `from`, in its own zone's offset. */
function comes(cron: string, timeZone: string, from: string, count: number): string[] {
  const found: string[] = [];
  for (let at = nextInstant({ cron, timeZone }, Date.parse(from)); found.length < count;) {
    found.push(new Date(at!).toISOString().replace(":00.000Z", "Z"));
    at = nextInstant({ cron, timeZone }, at!);
  }
  return found;
}

Deno.test("a fixed hour that the clock skips comes at the first instant after the gap, once", () => {
  assertEquals(comes("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3), [
    "2026-03-28T01:30Z",
    "2026-03-29T01:00Z",
    "2026-03-30T00:30Z",
  ]);
});

Deno.test("a fixed hour that the clock repeats comes once", () => {
  assertEquals(comes("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), [
    "2026-10-25T00:30Z",
    "2026-10-26T01:30Z",
  ]);
  assertEquals(comes("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2), [
    "2026-11-01T05:30Z",
    "2026-11-02T06:30Z",
  ]);
});

Deno.test("every hour is every hour in real time, on both days", () => {
  assertEquals(comes("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3), [
    "2026-03-29T01:00Z",
    "2026-03-29T02:00Z",
    "2026-03-29T03:00Z",
  ]);
  assertEquals(comes("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4), [
    "2026-10-25T00:00Z",
    "2026-10-25T01:00Z",
    "2026-10-25T02:00Z",
    "2026-10-25T03:00Z",
  ]);
});

for (
  const [day, zone] of [
    ["2026-03-29", "Europe/Berlin"],
    ["2026-10-25", "Europe/Berlin"],
    ["2026-03-08", "America/New_York"],
    ["2026-11-01", "America/New_York"],
    ["2026-10-04", "Australia/Lord_Howe"],
  ] as const
) {
  Deno.test(`every minute is every minute on ${day} in ${zone}, forwards and backwards`, () => {
    const time = { cron: "* * * * *", timeZone: zone };
    const fromMs = Date.parse(`${day}T00:00:00Z`) - 11 * 3_600_000;
    let at = fromMs;
    for (let minute = 1; minute <= 24 * 60; minute++) {
      at = nextInstant(time, at)!;
      assertEquals(at, fromMs + minute * 60_000);
    }
    assertEquals(
      instantsBefore(time, at + 1, 24 * 60),
      Array.from({ length: 24 * 60 }, (_, i) => fromMs + (i + 1) * 60_000),
    );
  });
}

Deno.test("the 31st comes in months that have one, L on the last day of each, 29 February in leap years", () => {
  const from = "2026-01-31T12:00:00Z";
  assertEquals(comes("0 0 31 * *", "UTC", from, 3), [
    "2026-03-31T00:00Z",
    "2026-05-31T00:00Z",
    "2026-07-31T00:00Z",
  ]);
  assertEquals(comes("0 0 L * *", "UTC", from, 3), [
    "2026-02-28T00:00Z",
    "2026-03-31T00:00Z",
    "2026-04-30T00:00Z",
  ]);
  assertEquals(comes("0 0 29 2 *", "UTC", from, 2), ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]);
  assertEquals(nextInstant({ cron: "0 0 30 2 *", timeZone: "UTC" }, Date.parse(from)), null);
});

Deno.test("instants are strictly after, and strictly before, to the millisecond", () => {
  const time = { cron: "* * * * * *", timeZone: "UTC" };
  assertEquals(nextInstant(time, 5000), 6000);
  assertEquals(nextInstant(time, 5999), 6000);
  assertEquals(instantsBefore(time, 5000, 2), [3000, 4000]);
  assertEquals(instantsBefore(time, 5001, 2), [4000, 5000]);
});

Deno.test("what is not an expression, or no time zone, is refused with the value", () => {
  for (const cron of ["", "x", "60 * * * *", "* * *", "2026-01-01T00:00:00", "@reboot", 5]) {
    const text = `Cannot use ${JSON.stringify(cron)} as cron: five fields`;
    assertThrows(() => checkCron({ cron: cron as string, timeZone: "UTC" }), TypeError, text);
  }
  for (const timeZone of ["Mars/Base", "", 5]) {
    assertThrows(
      () => checkCron({ cron: "@daily", timeZone: timeZone as string }),
      TypeError,
      `Cannot use ${JSON.stringify(timeZone)} as timeZone`,
    );
  }
});

// --- plans

const SECOND = { cron: "* * * * * *", timeZone: "UTC" };
const NOW_MS = Date.UTC(2026, 0, 1);

function plan(
  fields: Partial<Parameters<typeof planSchedule>[0]>,
  nowMs = NOW_MS,
): Plan {
  const last: LastTask = { kind: "none" };
  return planSchedule({
    everyMs: null,
    cron: SECOND,
    catchUp: "once",
    catchUpMax: 100,
    overlaps: false,
    nextAtMs: NOW_MS,
    last,
    ...fields,
  }, nowMs);
}

/** Seconds from now. */
function relative(fired: Plan): unknown {
  if (fired.kind === "wait") return fired;
  return [
    fired.instantsMs.map((atMs) => (atMs - NOW_MS) / 1000),
    (fired.nextAtMs! - NOW_MS) / 1000,
  ];
}

Deno.test("a schedule fires at its instant and not before", () => {
  assertEquals(plan({ nextAtMs: NOW_MS + 1 }), { kind: "wait", untilMs: NOW_MS + 1 });
  assertEquals(relative(plan({})), [[0], 1]);
});

Deno.test("instants of the last minute are late, not missed: each fires", () => {
  for (const catchUp of ["skip", "once", "all"] as const) {
    const late = { nextAtMs: NOW_MS - 3000, catchUp };
    assertEquals(relative(plan({ ...late, overlaps: true })), [[-3, -2, -1, 0], 1]);
    assertEquals(relative(plan(late)), [[-3], -2], "one after the other");
  }
});

Deno.test("after downtime: skip leaves the missed out, once makes one of them, all fires the last of them", () => {
  const HOUR = { cron: "0 * * * *", timeZone: "UTC" };
  const NOW = NOW_MS + 30 * 60_000;
  const missed = { cron: HOUR, overlaps: true, nextAtMs: NOW_MS - 5 * 3_600_000 };
  const hours = (catchUp: "skip" | "once" | "all", catchUpMax = 100): unknown => {
    const fired = plan({ ...missed, catchUp, catchUpMax }, NOW);
    return fired.kind === "fire" && [
      fired.instantsMs.map((atMs) => (atMs - NOW_MS) / 3_600_000),
      (fired.nextAtMs! - NOW_MS) / 3_600_000,
    ];
  };
  assertEquals(hours("skip"), [[], 1]);
  assertEquals(hours("once"), [[0], 1]);
  assertEquals(hours("all"), [[-5, -4, -3, -2, -1, 0], 1]);
  assertEquals(hours("all", 2), [[-1, 0], 1]);
});

Deno.test("a year of missed seconds costs no more than a few", () => {
  const nextAtMs = NOW_MS - 365 * 86_400_000;
  for (const catchUp of ["skip", "once"] as const) {
    const fired = plan({ nextAtMs, catchUp });
    assertEquals(relative(fired), [[-60], -59], catchUp);
  }
  assertEquals(relative(plan({ nextAtMs, catchUp: "all", catchUpMax: 3 })), [[-63], -62]);
});

Deno.test("without overlap nothing fires while the last task is active; what it held up is missed", () => {
  const nextAtMs = NOW_MS - 5000;
  for (const catchUp of ["skip", "once", "all"] as const) {
    assertEquals(plan({ nextAtMs, catchUp, last: { kind: "active" } }), {
      kind: "wait",
      untilMs: null,
    });
  }
  const last = { kind: "ended", atMs: NOW_MS + 500 } as const;
  const at = (catchUp: "skip" | "once" | "all"): unknown =>
    relative(plan({ nextAtMs, catchUp, last }, NOW_MS + 600));
  assertEquals(at("skip"), [[], 1]);
  assertEquals(at("once"), [[0], 1]);
  assertEquals(at("all"), [[-5], -4]);
  const exact = { kind: "ended", atMs: NOW_MS } as const;
  assertEquals(relative(plan({ nextAtMs: NOW_MS, catchUp: "skip", last: exact })), [[0], 1]);
});

Deno.test("an interval begins when the task has ended", () => {
  const every = { cron: null, everyMs: 10_000 };
  assertEquals(relative(plan({ ...every, nextAtMs: NOW_MS })), [[0], 10]);
  assertEquals(plan({ ...every, last: { kind: "active" } }), { kind: "wait", untilMs: null });
  const last = { kind: "ended", atMs: NOW_MS - 4000 } as const;
  assertEquals(plan({ ...every, last }), { kind: "wait", untilMs: NOW_MS + 6000 });
  assertEquals(relative(plan({ ...every, last }, NOW_MS + 6000)), [[6], 16]);
  const longAgo = { kind: "ended", atMs: NOW_MS - 500_000 } as const;
  const overdue = { ...every, nextAtMs: NOW_MS - 500_000, last: longAgo };
  assertEquals(relative(plan({ ...overdue, catchUp: "once" })), [[-490], 10]);
  assertEquals(relative(plan({ ...overdue, catchUp: "skip" })), [[], 10]);
});

Deno.test("a schedule that overlaps fires what is due a few at a time, and nothing twice", () => {
  let nextAtMs: number | null = NOW_MS - 3_600_000;
  const fired: number[] = [];
  for (let turn = 0; nextAtMs !== null && nextAtMs <= NOW_MS; turn++) {
    const step = plan({ nextAtMs, catchUp: "all", catchUpMax: 200, overlaps: true });
    if (step.kind !== "fire" || turn > 100) throw new Error("it does not go on");
    fired.push(...step.instantsMs);
    nextAtMs = step.nextAtMs;
  }
  assertEquals(fired.length, 200 + 61);
  assertEquals(new Set(fired).size, fired.length);
  assertEquals(fired.at(-1), NOW_MS);
});
