/**
 * Limits and pauses on a server that many clients ask at once.
 */
import { assert, assertEquals } from "@std/assert";
import { PermanentError } from "../../src/domain/errors.ts";
import { expiryContract } from "../contract/expiry_contract.ts";
import { flowContract } from "../contract/flow_contract.ts";
import { orderContract } from "../contract/order_contract.ts";
import { groupsContract } from "../contract/groups_contract.ts";
import { uniqueContract } from "../contract/unique_contract.ts";
import {
  freshSchema,
  openPostgresQueue,
  postgresForTests,
  withPostgresQueue,
} from "../support/postgres_queues.ts";
import type { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import { until } from "../support/until.ts";
import type { Task } from "../../src/domain/task.ts";

const server = postgresForTests();

flowContract("queue on PostgreSQL", withPostgresQueue(server));
groupsContract("queue on PostgreSQL", withPostgresQueue(server));
expiryContract("queue on PostgreSQL", withPostgresQueue(server));
uniqueContract("queue on PostgreSQL", withPostgresQueue(server));
orderContract("queue on PostgreSQL", withPostgresQueue(server));

async function withQueues(
  count: number,
  test: (queues: readonly PostgresQueue[], schema: string) => Promise<void>,
): Promise<void> {
  const schema = freshSchema();
  const errors: Error[] = [];
  const queues: PostgresQueue[] = [];
  for (let i = 0; i < count; i++) {
    const onBackgroundError = (error: Error): void => void errors.push(error);
    queues.push(await openPostgresQueue(server.url, { schema, onBackgroundError, connections: 3 }));
  }
  try {
    await test(queues, schema);
  } finally {
    for (const queue of queues) await queue.close();
  }
  assertEquals(errors, []);
}

function claim(queue: PostgresQueue, workerId: string, limit = 3): Promise<Task[]> {
  return queue.claim({ workerId, types: ["email"], limit, leaseDurationMs: 60_000 });
}

Deno.test("queue on PostgreSQL: 1: a pause is there when a queue is opened again", async () => {
  const schema = freshSchema();
  const first = await openPostgresQueue(server.url, { schema });
  await first.enqueue({ type: "email" });
  await first.pause({ type: "email" }, { by: "ops", reason: "provider down" });
  await first.close();
  const second = await openPostgresQueue(server.url, { schema });
  assertEquals(await claim(second, "w"), []);
  assertEquals((await second.listLimits())[0]?.paused?.by, "ops");
  await second.close();
});

Deno.test("queue on PostgreSQL: 5: eight clients that claim at once never exceed a limit", async () => {
  await withQueues(8, async (queues) => {
    await queues[0]!.setLimit({ type: "email" }, { concurrency: 2 });
    await queues[0]!.enqueueBatch(Array.from({ length: 60 }, () => ({ type: "email" })));
    let [held, most, done] = [0, 0, 0];
    const work = async (queue: PostgresQueue, workerId: string): Promise<void> => {
      while (done < 60) {
        const tasks = await claim(queue, workerId);
        held += tasks.length;
        most = Math.max(most, held);
        for (const task of tasks) {
          held--;
          await queue.complete(task);
          done++;
        }
      }
    };
    await Promise.all(queues.map((queue, i) => work(queue, `w${i}`)));
    assertEquals(most <= 2, true, `at most ${most} at once`);
    assertEquals(done, 60);
  });
});

Deno.test("queue on PostgreSQL: 5: eight clients that claim at once never exceed a group's limit", async () => {
  await withQueues(8, async (queues) => {
    const [operator] = queues as [PostgresQueue];
    await operator.setLimit({ group: "*" }, { concurrency: 2 });
    await operator.setLimit({ type: "email", group: "a" }, { concurrency: 1 });
    const groups = ["a", "b", undefined];
    await operator.enqueueBatch(
      Array.from({ length: 60 }, (_, i) => ({
        type: ["email", "sms"][i % 2]!,
        group: groups[i % 3],
      })),
    );
    const held = new Map<string, number>();
    const most = new Map<string, number>();
    let done = 0;
    const count = ({ type, group }: Task, change: number): void => {
      for (const scope of [`${group}`, `${type} ${group}`]) {
        held.set(scope, (held.get(scope) ?? 0) + change);
        most.set(scope, Math.max(held.get(scope)!, most.get(scope) ?? 0));
      }
    };
    const work = async (queue: PostgresQueue, i: number): Promise<void> => {
      const types = [["email"], ["sms"], ["email", "sms"]][i % 3]!;
      const request = { workerId: `w${i}`, types, limit: 3, leaseDurationMs: 60_000 };
      while (done < 60) {
        const tasks = await queue.claim(request);
        for (const task of tasks) count(task, 1);
        for (const task of tasks) {
          count(task, -1);
          await queue.complete(task);
          done++;
        }
      }
    };
    await Promise.all(queues.map(work));
    assertEquals(done, 60);
    assert(most.get("b")! <= 2 && most.get("a")! <= 2, JSON.stringify([...most]));
    assertEquals(most.get("email a"), 1);
    assert(most.get("null")! > 0);
  });
});

Deno.test("queue on PostgreSQL: nothing starts between a pause's commit and the resume's", async () => {
  await withQueues(4, async ([operator, ...clients]) => {
    await operator!.enqueueBatch(Array.from({ length: 300 }, () => ({ type: "email" })));
    let [isPaused, isOver, claimed, pauses] = [false, false, 0, 0];
    const late: number[] = [];
    const work = async (queue: PostgresQueue, workerId: string): Promise<void> => {
      while (!isOver) {
        const pausedSince = isPaused ? pauses : -1;
        const tasks = await claim(queue, workerId, 1);
        if (isPaused && pauses === pausedSince) late.push(...tasks.map(({ id }) => id));
        claimed += tasks.length;
        for (const task of tasks) await queue.complete(task);
        if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const working = Promise.all(clients.map((queue, i) => work(queue, `w${i}`)));
    for (let i = 0; i < 8; i++) {
      await operator!.pause({ type: "email" });
      pauses++;
      isPaused = true;
      const before = await operator!.count({ status: "queued", type: "email" });
      for (const queue of clients) await claim(queue, "late");
      assertEquals(await operator!.count({ status: "queued", type: "email" }), before);
      isPaused = false;
      const had = claimed;
      await operator!.resume({ type: "email" });
      await until(() => claimed > had || claimed >= 300, "a start after the resume");
    }
    isOver = true;
    await working;
    assertEquals(late, []);
    assert(claimed >= 8 || claimed === 300);
  });
});

Deno.test("queue on PostgreSQL: clients that enqueue at once under one key store one task", async () => {
  await withQueues(8, async (queues) => {
    for (let round = 0; round < 10; round++) {
      const unique = { key: `k${round}`, mode: "queued" } as const;
      const stored = await Promise.all(
        Array.from({ length: 32 }, (_, i) => queues[i % 8]!.enqueue({ type: "email", unique })),
      );
      assertEquals(stored.filter(({ created }) => created).length, 1);
      assertEquals(new Set(stored.map(({ task }) => task.id)).size, 1);
    }
  });
});

Deno.test("queue on PostgreSQL: eight clients run the tasks of each key one at a time, by age", async () => {
  await withQueues(8, async (queues) => {
    const held = new Map<string, number>();
    const started = new Map<string, number[]>();
    const wrong: string[] = [];
    let [stored, done] = [0, 0];
    const [rounds, perRound] = [3, 3];
    const produce = async (queue: PostgresQueue, i: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const keys = [`k${(i + round) % 3}`, "all", `k${round % 3}`];
        await queue.enqueueBatch(keys.map((orderingKey) => ({ type: "email", orderingKey })));
        stored += perRound;
      }
    };
    const work = async (queue: PostgresQueue, i: number): Promise<void> => {
      const workerId = `w${i}`;
      while (done < 8 * rounds * perRound) {
        const tasks = await claim(queue, workerId);
        if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        for (const task of tasks) {
          const key = task.orderingKey!;
          if (held.has(key)) wrong.push(`task ${task.id} beside ${held.get(key)} of ${key}`);
          held.set(key, task.id);
          const isFirst = task.leaseToken === 1;
          if (isFirst) started.set(key, [...started.get(key) ?? [], task.id]);
          await queue.reportProgress(task, 50);
          held.delete(key);
          const ended = isFirst && task.id % 7 === 0
            ? await queue.release(task)
            : task.id % 5 === 0
            ? await queue.fail(task, new PermanentError("no"))
            : await queue.complete(task);
          if (ended.finishedAt !== null) done++;
        }
      }
    };
    await Promise.all(queues.flatMap((queue, i) => [produce(queue, i), work(queue, i)]));
    assertEquals([wrong, stored], [[], done]);
    const ids = [...started.values()];
    assertEquals(ids.length, 4);
    for (const each of ids) assertEquals(each, each.toSorted((a, b) => a - b));
  });
});

Deno.test("queue on PostgreSQL: of clients that enqueue at once under one key, one has the turn", async () => {
  await withQueues(8, async (queues) => {
    for (let round = 0; round < 5; round++) {
      const orderingKey = `k${round}`;
      const stored = await Promise.all(
        Array.from(
          { length: 24 },
          (_, i) => queues[i % 8]!.enqueue({ type: "email", orderingKey }),
        ),
      );
      const turns = stored.filter(({ task }) => task.waitsFor === 0).map(({ task }) => task.id);
      assertEquals(turns, [Math.min(...stored.map(({ task }) => task.id))]);
    }
  });
});
