/**
 * A queue behind a server whose tasks are being moved, or were: its refusals arrive as they are.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import { moveEndOf } from "../../src/queue/move_end.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { close, closure, fill, refused } from "../contract/closure_contract.ts";
import { until } from "../support/until.ts";
import { withRemote } from "./remote_fixture.ts";

for (const [state, code] of [["leaving", "queue_moving"], ["moved", "queue_moved"]] as const) {
  Deno.test(`a queue behind a server passes ${code} on`, () =>
    withRemote({}, async ({ remote, queue }) => {
      await fill(queue);
      await close(queue, state);
      for (const act of refused(remote)) {
        const error = await assertRejects(act, QueueError);
        assertEquals(error.code, code);
        assertStringIncludes(error.message, '"postgres://ann@db/app"');
      }
      assertEquals((await remote.health()).reasons[0]!.code, code);
      assertEquals((await remote.explain(1))!.reason, code);
    }));
}

Deno.test("a worker goes on asking a queue that is being moved, and ends when it was", () =>
  withRemote({}, async ({ queue, clock }) => {
    await close(queue, "leaving");
    const events: WorkerEvent[] = [];
    const handlers = new HandlerRegistry();
    handlers.register("t", () => Promise.resolve());
    const worker = new Worker({ queue, handlers, clock, onEvent: (event) => events.push(event) });
    worker.start();
    await until(() => events.length >= 1, "the refusal");
    await clock.advance(1000);
    assertEquals(events.filter(({ isFatal }) => isFatal).length, 0);
    const asked = events.length;
    await moveEndOf(queue)!.setClosure({ expected: closure("leaving"), next: closure("moved") });
    await until(async () => {
      await clock.advance(500);
      return events.at(-1)!.isFatal === true;
    }, "the end");
    await clock.advance(5000);
    assertEquals(events.filter(({ isFatal }) => isFatal).length, 1);
    assert(asked < events.length);
    await worker.stop();
  }));
