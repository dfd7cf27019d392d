/**
 * Answers that are lost: what was done is recognised, what was not is done, and nothing is done twice.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PermanentError, QueueError, StorageError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { broken, type Network, type RemoteWorld, withRemote } from "./remote_fixture.ts";

/** A network that loses, of the requests to a path, the answers or the requests themselves. */
class LossyNetwork {
  /** How many more answers are lost, by the end of the path. */
  readonly answers = new Map<string, number>();
  /** How many more requests do not arrive. */
  readonly requests = new Map<string, number>();
  /** Every path that was asked. */
  readonly asked: string[] = [];

  readonly pass: Network = async (request, send) => {
    const path = new URL(request.url).pathname;
    this.asked.push(`${request.method} ${path}`);
    if (take(this.requests, path)) throw broken();
    const response = await send(request);
    if (!take(this.answers, path)) return response;
    await response.body?.cancel();
    throw broken();
  };

  countOf(path: string): number {
    return this.asked.filter((asked) => asked.endsWith(path)).length;
  }
}

function take(left: Map<string, number>, path: string): boolean {
  for (const [end, count] of left) {
    if (!path.endsWith(end) || count === 0) continue;
    left.set(end, count - 1);
    return true;
  }
  return false;
}

function lossy(
  test: (world: RemoteWorld & { readonly network: LossyNetwork }) => Promise<void>,
  resendForMs = 5000,
): Promise<void> {
  const network = new LossyNetwork();
  return withRemote(
    { network: network.pass, remote: { resendForMs } },
    (world) => test({ ...world, network }),
  );
}

async function claimed(queue: TaskQueue): Promise<Task> {
  await queue.enqueue({ type: "t" });
  return (await queue.claim({ workerId: "w", types: ["t"] }))[0]!;
}

Deno.test("enqueue() whose answer is lost gives the task that it stored, and stores no other", () =>
  lossy(async ({ remote, queue, network }) => {
    for (const fields of [{}, { runId: "mine" }, { idempotencyKey: "k" }]) {
      network.answers.set("/enqueue", 2);
      const { task, created } = await remote.enqueue({ type: "t", payload: { a: 1 }, ...fields });
      assertEquals([created, task.payload], [true, { a: 1 }]);
      assertEquals(await queue.get(task.id), task);
    }
    assertEquals(await queue.count(), 3);
    network.answers.set("/batch", 1);
    const batch = await remote.enqueueBatch([{ type: "a" }, { type: "b", idempotencyKey: "k2" }]);
    assertEquals(batch.map(({ task, created }) => [task.type, created]), [["a", true], [
      "b",
      true,
    ]]);
    assertEquals(await queue.count(), 5);
  }));

Deno.test("enqueue() refuses a run id that another task has, also when an answer was lost before", () =>
  lossy(async ({ remote, queue, network }) => {
    await queue.enqueue({ type: "other", runId: "taken" });
    network.requests.set("/enqueue", 1);
    const refused = await assertRejects(
      () => remote.enqueue({ type: "t", runId: "taken" }),
      QueueError,
    );
    assertEquals(refused.code, "run_id_conflict");
    assertEquals(await queue.count(), 1);
  }));

Deno.test("complete(), fail() and release() whose answer is lost are not refused by their own effect", () =>
  lossy(async ({ remote, network }) => {
    const ends: readonly [string, (task: Task) => Promise<Task>, Task["status"]][] = [
      ["/complete", (task) => remote.complete(task, { n: 1 }), "completed"],
      ["/fail", (task) => remote.fail(task, new Error("no")), "queued"],
      ["/fail", (task) => remote.fail(task, new PermanentError("never")), "failed"],
      ["/release", (task) => remote.release(task), "queued"],
    ];
    for (const [path, end, status] of ends) {
      const task = await claimed(remote);
      network.answers.set(path, 1);
      const before = network.countOf(path);
      const ended = await end(task);
      assertEquals([ended.id, ended.status, ended.leaseToken], [task.id, status, task.leaseToken]);
      assertEquals(network.countOf(path) - before, 2);
      await remote.cancel(task.id);
    }
  }));

Deno.test("complete() is recognised also when the caller itself asks again, after all answers were lost", () =>
  lossy(async ({ remote, queue, network }) => {
    const task = await claimed(remote);
    network.answers.set("/complete", 1);
    await assertRejects(() => remote.complete(task, 1), StorageError, "there is no answer");
    assertEquals((await queue.get(task.id))?.status, "completed");
    assertEquals((await remote.complete(task, 1)).status, "completed");
    const twice = await assertRejects(() => remote.complete(task, 1), QueueError);
    assertEquals(twice.code, "lease_lost");
  }, 0));

Deno.test("complete() without an answer is refused when another worker had the task meanwhile", () =>
  lossy(async ({ remote, queue, clock, network }) => {
    const task = await claimed(remote);
    network.requests.set("/complete", 1);
    await assertRejects(() => remote.complete(task, "late"), StorageError);
    await clock.advance(12_000);
    const [again] = await queue.claim({ workerId: "other", types: ["t"] });
    await queue.complete(again!, "other");
    const refused = await assertRejects(() => remote.complete(task, "late"), QueueError);
    assertEquals(refused.code, "lease_lost");
    assertEquals((await queue.get(task.id))?.result, "other");
  }, 0));

Deno.test("cancel() whose answer is lost says that it did it, retry() is not sent twice", () =>
  lossy(async ({ remote, network }) => {
    const { task } = await remote.enqueue({ type: "t" });
    network.answers.set("/cancel", 1);
    assertEquals(await remote.cancel(task.id), true);
    assertEquals(await remote.cancel(task.id), false);
    network.answers.set("/retry", 1);
    await assertRejects(() => remote.retry(task.id), StorageError);
    assertEquals(network.countOf("/retry"), 1);
    assertEquals(await remote.retry(task.id), false, "it is queued already");
  }));

Deno.test("schedules are added and removed once, however many answers are lost", () =>
  lossy(async ({ remote, network }) => {
    network.answers.set("/schedules", 1);
    const wanted = { id: "s", type: "t", cron: "@daily" };
    assertEquals((await remote.addSchedule(wanted)).created, true);
    network.answers.set("/schedules/s", 1);
    assertEquals(await remote.removeSchedule("s"), true);
    assertEquals(await remote.removeSchedule("s"), false);
  }));

Deno.test("claim() is not sent again: what an answer that is lost leased comes back with its lease", () =>
  lossy(async ({ remote, queue, clock, network }) => {
    await queue.enqueue({ type: "t" });
    network.answers.set("/claim", 1);
    const claim = (): Promise<Task[]> => remote.claim({ workerId: "w", types: ["t"] });
    await assertRejects(claim, StorageError);
    assertEquals([network.countOf("/claim"), await claim()], [1, []]);
    await clock.advance(12_000);
    const [task] = await claim();
    assertEquals([task?.attempts, task?.leaseToken], [2, 2]);
  }));

Deno.test("reads and renewals are asked again until there is an answer", () =>
  lossy(async ({ remote, network }) => {
    const task = await claimed(remote);
    for (const path of ["/renew", `/tasks/${task.id}`, "/stats", "/next-due", "/heartbeat"]) {
      network.requests.set(path, 1);
      network.answers.set(path, 1);
    }
    assertEquals((await remote.renew(task)).status, "leased");
    assertEquals((await remote.get(task.id))?.id, task.id);
    assertEquals((await remote.stats()).total, 1);
    assertEquals(await remote.nextDueAt(), null);
    await remote.heartbeat({ workerId: "w", types: [], capabilities: {}, concurrency: 1 });
    assertEquals(["/renew", "/stats", "/next-due"].map((path) => network.countOf(path)), [3, 3, 3]);
    assert([...network.requests.values(), ...network.answers.values()].every((left) => left === 0));
  }));

Deno.test("lines of a log wait while there is no answer, and arrive before their task's end is told", () =>
  lossy(async ({ remote, network, logs, reported }) => {
    const task = await claimed(remote);
    network.requests.set("/log", 2);
    const line = { at: new Date(0).toISOString(), level: "info", attempt: 1 } as const;
    remote.logs.append(task.id, { ...line, message: "one" });
    remote.logs.append(task.id, { ...line, message: "two", details: { n: 2 } });
    await remote.complete(task);
    const { lines } = await logs.read(task.id, 0);
    assertEquals(lines.map(({ message, details }) => [message, details]), [["one", undefined], [
      "two",
      { n: 2 },
    ]]);
    const page = await remote.logs.read(task.id, 0);
    assertEquals([page.lines.length, page.nextOffset], [2, await logs.end(task.id)]);
    remote.logs.append(task.id, { ...line, level: "warn", message: "afterwards" });
    await remote.flush();
    const last = { lines: 1 };
    assertEquals((await remote.logs.tail(task.id, last)).lines[0]?.message, "afterwards");
    assertEquals(await remote.logs.end(task.id), await logs.end(task.id));
    assertEquals(reported, []);
    remote.logs.append(99, { ...line, message: "whose?" });
    await remote.flush();
    assertEquals(reported.map(String), [
      'StorageError: Cannot add to "log of task 99 at http://127.0.0.1:1": this process has no lease of it',
    ]);
  }));
