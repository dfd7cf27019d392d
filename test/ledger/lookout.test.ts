import { assertEquals } from "@std/assert";
import { Lookout, LOOKOUT_TIMES } from "../../src/ledger/lookout.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileWatch } from "../../src/storage/storage.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** Storage whose watch is told by hand. */
class WatchedStorage extends MemoryStorage {
  watches = 0;
  failure: Error | undefined;
  isProven = true;
  onChange: (() => void) | undefined;

  override watch(onChange: () => void): FileWatch {
    this.watches++;
    if (this.failure !== undefined) throw this.failure;
    this.onChange = onChange;
    const isProven = (): boolean => this.isProven;
    return {
      get isProven(): boolean {
        return isProven();
      },
      stop: () => this.onChange = undefined,
    };
  }
}

interface Fixture {
  readonly clock: FakeClock;
  readonly storage: WatchedStorage;
  readonly lookout: Lookout;
  /** How many looks there were since this was asked last. */
  readonly looks: () => number;
  /** The next look finds something. */
  readonly bring: () => void;
  /** What went wrong. */
  readonly errors: readonly unknown[];
}

function begin(isProven = true): Fixture {
  const clock = new FakeClock();
  const storage = new WatchedStorage(new MemoryDisk());
  storage.isProven = isProven;
  const errors: unknown[] = [];
  let looks = 0;
  let isNew = false;
  const look = (): boolean => {
    looks++;
    const found = isNew;
    isNew = false;
    return found;
  };
  const lookout = new Lookout({ clock, storage, look, onError: (error) => errors.push(error) });
  const count = (): number => {
    const counted = looks;
    looks = 0;
    return counted;
  };
  return { clock, storage, lookout, looks: count, bring: () => isNew = true, errors };
}

/** Millisecond by millisecond. */
function pass(clock: FakeClock, ms: number): void {
  for (let passed = 0; passed < ms; passed++) clock.jump(1);
}

function untilQuiet({ clock, looks }: Fixture): void {
  pass(clock, LOOKOUT_TIMES.quietMs + LOOKOUT_TIMES.maxMs * 3);
  looks();
}

Deno.test("a lookout looks often at first, and when it is quiet every 30 ms", () => {
  const fixture = begin(false);
  pass(fixture.clock, 20);
  assertEquals(fixture.looks() >= 4, true);
  pass(fixture.clock, LOOKOUT_TIMES.quietMs);
  fixture.looks();
  pass(fixture.clock, LOOKOUT_TIMES.maxMs * 10);
  assertEquals(fixture.looks(), 10);
  fixture.lookout.stop();
});

Deno.test("when it has been quiet a watch that works takes over, with one look a second beside it", () => {
  const fixture = begin();
  untilQuiet(fixture);
  pass(fixture.clock, LOOKOUT_TIMES.watchedMs * 10);
  assertEquals([fixture.storage.watches, fixture.looks()], [1, 10]);
  fixture.lookout.stop();
});

Deno.test("a watch that has not proved itself leaves the lookout at its pace", () => {
  const fixture = begin(false);
  untilQuiet(fixture);
  pass(fixture.clock, LOOKOUT_TIMES.maxMs * 10);
  assertEquals([fixture.storage.watches, fixture.looks()], [1, 10]);
  fixture.lookout.stop();
});

Deno.test("what a watch tells is looked at once, and the lookout is awake again", () => {
  const fixture = begin();
  untilQuiet(fixture);
  fixture.bring();
  fixture.storage.onChange!();
  assertEquals([fixture.looks(), fixture.storage.onChange], [1, undefined]);
  pass(fixture.clock, 20);
  assertEquals(fixture.looks() >= 4, true);
  fixture.lookout.stop();
});

Deno.test("what is written between the last look and the watch's beginning is found by the next quick look", () => {
  const fixture = begin();
  while (fixture.storage.watches === 0) pass(fixture.clock, 1);
  fixture.looks();
  fixture.bring();
  pass(fixture.clock, LOOKOUT_TIMES.maxMs);
  assertEquals([fixture.looks() > 0, fixture.storage.onChange], [true, undefined]);
  fixture.lookout.stop();
});

Deno.test("a notice that is lost is made up for within a second", () => {
  const fixture = begin();
  untilQuiet(fixture);
  fixture.bring();
  pass(fixture.clock, LOOKOUT_TIMES.watchedMs);
  assertEquals(fixture.storage.onChange, undefined);
  fixture.lookout.stop();
});

Deno.test("own work ends the watch, which would tell of each write", () => {
  const fixture = begin();
  untilQuiet(fixture);
  fixture.lookout.stir();
  assertEquals(fixture.storage.onChange, undefined);
  untilQuiet(fixture);
  assertEquals(fixture.storage.watches, 2);
  fixture.lookout.stop();
});

Deno.test("a lookout that was stopped looks no more and watches nothing", () => {
  const fixture = begin();
  untilQuiet(fixture);
  fixture.lookout.stop();
  pass(fixture.clock, LOOKOUT_TIMES.watchedMs * 3);
  assertEquals([fixture.looks(), fixture.storage.onChange], [0, undefined]);
});

Deno.test("a watch that cannot begin is told of, and tried again when it has been quiet for as long once more", () => {
  const fixture = begin();
  fixture.storage.failure = new Error("no watches left");
  untilQuiet(fixture);
  untilQuiet(fixture);
  assertEquals([fixture.storage.watches, fixture.errors.length], [2, 2]);
  fixture.storage.failure = undefined;
  untilQuiet(fixture);
  assertEquals(fixture.storage.onChange !== undefined, true);
  fixture.lookout.stop();
});
