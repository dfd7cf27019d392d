/**
 * The operations of a queue on PostgreSQL, the plans of their statements, and what only a server can tell.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { databaseOf } from "../../src/queue/database_state.ts";
import type { QueueHealth, QueueOperator } from "../../src/queue/operator.ts";
import { CHILDREN_SQL } from "../../src/postgres_queue/insight/children.ts";
import { EXPLAIN_SQL } from "../../src/postgres_queue/insight/explain.ts";
import { HEALTH_SQL } from "../../src/postgres_queue/insight/health.ts";
import { measureWindow, METRICS_SQL } from "../../src/postgres_queue/insight/metrics.ts";
import { LINE_SQL } from "../../src/postgres_queue/insight/place_in_line.ts";
import { WORKER_SQL } from "../../src/postgres_queue/insight/workers.ts";
import type { Parameter, Statements } from "../../src/postgres_queue/rows/database.ts";
import { SCHEDULE_RUNS_SQL } from "../../src/postgres_queue/schedules/schedule_runs.ts";
import { TOTALS_SQL } from "../../src/postgres_queue/rows/totals.ts";
import { HISTORY_SQL } from "../../src/postgres_queue/rows/transition_log.ts";
import { PRUNE_SQL } from "../../src/postgres_queue/tasks/prune.ts";
import { queueOperationsContract } from "../contract/queue_operations_contract.ts";
import {
  postgresForTests,
  usePostgresQueue,
  withPostgresQueue,
} from "../support/postgres_queues.ts";
import { until } from "../support/until.ts";

const server = postgresForTests(["max_prepared_transactions=5"]);

queueOperationsContract("queue on PostgreSQL", withPostgresQueue(server));

// --- what only a server can tell

Deno.test("health() names the session that holds an old snapshot, until it ends", async () => {
  const health = { snapshotMs: 0 };
  await usePostgresQueue(server.url, { health }, async ({ queue, clock, database }) => {
    const release = Promise.withResolvers<void>();
    const held = Promise.withResolvers<number>();
    const holding = database.transaction(async (tx) => {
      const [row] = await tx.query("select pg_backend_pid() as pid");
      held.resolve(Number(row!.pid));
      await release.promise;
    }, "repeatable read");
    const session = `Session ${await held.promise} (holdfast, idle in transaction)`;
    await queue.cancel((await queue.enqueue({ type: "t" })).task.id);
    clock.jump(60_000);
    // a transaction of another program may be older for a moment
    const told = await healthOnce(queue, ({ reasons }) => reasons[0]?.message.includes(session));
    assertEquals([told.verdict, told.reasons.map(({ code }) => code)], [
      "degraded",
      ["old_snapshot"],
    ]);
    release.resolve();
    await holding;
    await healthOnce(queue, ({ verdict }) => verdict === "healthy");
  });
});

Deno.test("health() names a prepared transaction that holds an old snapshot", async () => {
  const health = { snapshotMs: 0 };
  await usePostgresQueue(server.url, { health }, async ({ queue, clock, access, database }) => {
    const { schema } = access;
    const [row] = await database.query("show max_prepared_transactions");
    if (row!.max_prepared_transactions === "0") return; // a server that was named may have none
    await database.inOrder(async ({ query }) => {
      await query("begin");
      await query(`create table "${schema}".of_another (id int)`);
      await query(`prepare transaction '${schema}'`);
    });
    await queue.cancel((await queue.enqueue({ type: "t" })).task.id);
    clock.jump(60_000);
    const holder = `Prepared transaction "${schema}" has held a snapshot`;
    await healthOnce(queue, ({ reasons }) => reasons[0]?.message.includes(holder));
    const { oldestSnapshot } = await databaseOf(queue)!.databaseState();
    assertEquals([oldestSnapshot!.kind, oldestSnapshot!.name], ["prepared transaction", schema]);
    await database.query(`rollback prepared '${schema}'`);
    await healthOnce(queue, ({ verdict }) => verdict === "healthy");
  });
});

Deno.test("health() tells of dead rows that vacuum has yet to remove", async () => {
  const health = { deadRows: 100 };
  await usePostgresQueue(server.url, { health }, async ({ queue, access, database }) => {
    await queue.enqueue({ type: "t" });
    const change = `update "${access.schema}".live set updated_at = updated_at + 1`;
    await database.transaction(async (tx) => {
      for (let n = 0; n < 101; n++) await tx.query(change);
      await tx.query("select pg_stat_force_next_flush()");
    });
    const { reasons } = await healthOnce(queue, ({ verdict }) => verdict === "degraded");
    assertEquals(reasons.map(({ code }) => code), ["dead_rows"]);
    assertMatch(reasons[0]!.message, /^Table "live" has \d+ dead rows: vacuum does not keep up$/);
    const { deadRows, location, isListening } = await databaseOf(queue)!.databaseState();
    assert(deadRows.table === "live" && deadRows.count > 100, JSON.stringify(deadRows));
    assert(location.endsWith(` schema ${access.schema}`), location);
    assertEquals(isListening, true);
  });
});

Deno.test("health() notes that no notification comes, and stays healthy", async () => {
  const wrap: PostgresTestWrap = (database) =>
    Object.assign(Object.create(database), {
      location: database.location,
      query: database.query.bind(database),
      inOrder: database.inOrder.bind(database),
      transaction: database.transaction.bind(database),
      close: database.close.bind(database),
      listen: () => Promise.resolve(() => Promise.resolve()),
    });
  await usePostgresQueue(server.url, { wrap }, async ({ queue, clock }) => {
    assertEquals(await codes(queue), []);
    await until(async () => {
      await clock.advance(1000);
      return (await codes(queue)).length > 0;
    });
    const { verdict, reasons } = await queue.health();
    const told = reasons.map(({ code, severity }) => `${severity} ${code}`);
    assertEquals([verdict, told], ["healthy", ["notice wake_up_deaf"]]);
    assertEquals((await databaseOf(queue)!.databaseState()).isListening, false);
  });
});

type PostgresTestWrap = NonNullable<Parameters<typeof usePostgresQueue>[1]["wrap"]>;

/** The first health of which `isMeant` holds. */
async function healthOnce(
  queue: Pick<QueueOperator, "health">,
  isMeant: (health: QueueHealth) => unknown,
): Promise<QueueHealth> {
  let health: QueueHealth;
  await until(async () => isMeant(health = await queue.health()));
  return health!;
}

async function codes(queue: Pick<QueueOperator, "health">): Promise<string[]> {
  return (await queue.health()).reasons.map(({ code }) => code);
}

// --- what others do at the same time

Deno.test("prune() deletes no parent of a child that is enqueued at the same time", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue }) => {
    for (let round = 0; round < 20; round++) {
      const parent = (await queue.enqueue({ type: "t" })).task.id;
      await queue.cancel(parent);
      const child = { type: "t", dependsOn: [parent], onParentFailure: "run" } as const;
      const [stored] = await Promise.allSettled([
        queue.enqueue(child),
        queue.prune({ keep: 0, statuses: ["cancelled"] }),
      ]);
      const isThere = await queue.get(parent) !== undefined;
      assertEquals(isThere, stored.status === "fulfilled", `round ${round}`);
      if (stored.status === "fulfilled") await queue.cancel(stored.value.task.id);
    }
  });
});

Deno.test("prune() looks at the children again once it has locked the tasks", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, access }) => {
    const parent = (await queue.enqueue({ type: "t" })).task.id;
    await queue.cancel(parent);
    await queue.enqueue({ type: "t", dependsOn: [parent], onParentFailure: "run" });
    assertEquals(await access.statements.query(PRUNE_SQL.remove, [[parent]]), []);
    assert(await queue.get(parent) !== undefined);
  });
});

Deno.test("retry() goes on where a child is pruned while it waits for its lock", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, access, database }) => {
    const parent = (await queue.enqueue({ type: "t" })).task.id;
    const child = await queue.enqueue({ type: "t", dependsOn: [parent] });
    await queue.cancel(parent);
    assertEquals((await queue.get(child.task.id))!.status, "failed");
    const retried = await access.write(async ({ tx }) => {
      await tx.query("select from @task where id = $1 for update", [child.task.id]);
      const retrying = queue.retry(parent);
      await until(async () => (await waiting(database, tx)) > 0, "retry() to wait for the lock");
      await tx.query(PRUNE_SQL.remove, [[child.task.id]]);
      return { retrying };
    });
    assertEquals(await retried.retrying, true);
    assertEquals((await queue.get(parent))!.status, "queued");
    assertEquals(await queue.get(child.task.id), undefined);
  });
});

/** How many sessions wait for the transaction `tx`. */
async function waiting(database: Statements, tx: Statements): Promise<number> {
  const [me] = await tx.query("select pg_backend_pid() as pid");
  const [row] = await database.query(
    "select count(*)::int as count from pg_stat_activity where $1::int = any(pg_blocking_pids(pid))",
    [me!.pid!],
  );
  return Number(row!.count);
}

// --- windows and pages

Deno.test("metrics() finds the beginning of any window among many transactions", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    const empty = await queue.metrics();
    assertEquals([empty.window.enqueued, empty.window.waitMs.count], [0, 0]);
    await queue.enqueue({ type: "t" });
    await fill(database, access.schema, clock.nowMs());
    const endMs = clock.nowMs() + 20_000;
    for (const windowMs of [1, 2, 999, 1000, 1001, 7777, 19_000, 19_998, 19_999, 40_000]) {
      const { enqueued } = await access.read((tx) => measureWindow(tx, windowMs, endMs));
      const atStart = windowMs > 20_000 ? 1 : 0;
      assertEquals(enqueued, Math.min(20_000, windowMs + 1) + atStart, `${windowMs} ms`);
    }
  });
});

Deno.test("metrics() of several windows at the same time are one reading, each with its own numbers", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    await queue.enqueue({ type: "t" });
    await fill(database, access.schema, clock.nowMs());
    clock.jump(20_000);
    const windows = [1000, 7777, 1000, 60_000];
    const all = await Promise.all(windows.map((windowMs) => queue.metrics({ windowMs })));
    assertEquals(all.map(({ window }) => window.windowMs), windows);
    assertEquals(all.map(({ window }) => window.enqueued), [1001, 7778, 1001, 20_001]);
    for (const each of all) assert(each.byType === all[0]!.byType, "counted once");
    assertEquals((await queue.metrics({ windowMs: 7777 })).window, all[1]!.window);
  });
});

Deno.test("metrics() counts the latest 100,000 transitions, and says since when", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    await database.query(
      `insert into "${access.schema}".transition (task_id, at, kind, duration_ms)
        select 1, $1::bigint + i, 'completed', i from generate_series(1, 100001) i`,
      [clock.nowMs()],
    );
    clock.jump(100_002);
    const { window } = await queue.metrics();
    const { isTruncated, windowMs, completed, runMs } = window;
    assertEquals([isTruncated, windowMs, completed], [true, 100_000, 100_000]);
    assertEquals(runMs, { count: 100_000, p50: 50_001, p95: 95_001, p99: 99_001, max: 100_001 });
    const [day, part] = await Promise.all(
      [86_400_000, 50_001].map((ms) => queue.metrics({ windowMs: ms })),
    );
    assertEquals([day!.window.completed, day!.window.isTruncated], [100_000, true]);
    assertEquals([part!.window.completed, part!.window.isTruncated], [50_001, false]);
  });
});

Deno.test("listWorkers() ends a page early where what workers say is large, and never before the first", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    await database.query(
      `insert into "${access.schema}".worker (worker_id, capabilities, types, concurrency, strategy,
          type_limits, started_at, heartbeat_at)
        select 'w' || i, '{"a":"' || repeat('x', i * 6 * 1024 * 1024) || '"}', '[]', 1, 'fifo', '{}',
          $1::bigint, $1::bigint from generate_series(1, 3) i`,
      [clock.nowMs()],
    );
    const ids = async (): Promise<string[]> =>
      (await queue.listWorkers()).map(({ workerId }) => workerId);
    assertEquals(await ids(), ["w1"]);
    await queue.retireWorker("w1");
    await queue.retireWorker("w2");
    assertEquals(await ids(), ["w3"]);
    assertEquals((await queue.metrics()).workers, { active: 1, limbo: 0, stale: 0 });
  });
});

Deno.test("heartbeat() forgets workers that were silent for a day, and not the one that comes back", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    const beat = { capabilities: {}, types: ["t"], concurrency: 1 };
    await queue.heartbeat({ ...beat, workerId: "w1" });
    await queue.heartbeat({ ...beat, workerId: "w2" });
    const startedAt = new Date(clock.nowMs());
    clock.jumpUnheard(24 * 3_600_000 + 1);
    await queue.heartbeat({ ...beat, workerId: "w1" });
    const rows = await database.query(`select worker_id from "${access.schema}".worker`);
    assertEquals(rows, [{ worker_id: "w1" }]);
    assertEquals((await queue.listWorkers())[0]!.startedAt, startedAt);
  });
});

// --- plans

Deno.test("no statement about one task, a window, workers, health or a prune scans a large table", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, clock, access, database }) => {
    await queue.enqueue({ type: "t" });
    await fill(database, access.schema, clock.nowMs());
    const nowMs = clock.nowMs();
    const lane = [1];
    const plans: [string, Parameter[]][] = [
      [EXPLAIN_SQL.byId, [5]],
      [EXPLAIN_SQL.byRunId, ["q5"]],
      [EXPLAIN_SQL.countParents, [5]],
      [EXPLAIN_SQL.openParents, [5]],
      [HISTORY_SQL.lastOfTask, [5]],
      [HISTORY_SQL.lastFailure, [5]],
      // under weighted random every other task counts, up to the limit
      [LINE_SQL.ahead.priority, [lane, 100_000, nowMs, 10_101, 100, null, "", lane]],
      [LINE_SQL.ahead.fifo, [lane, 100_000, nowMs, 10_101, 100, null, "", lane]],
      [LINE_SQL.ahead.lifo, [lane, 100_000, nowMs, 19_901, 100, 1, "a", lane]],
      [LINE_SQL.turns, [1, 1, "a"]],
      [METRICS_SQL.windows, [[nowMs + 19_000], nowMs + 19_000]],
      [WORKER_SQL.held, [["w1"]]],
      [HEALTH_SQL.leases, [nowMs, nowMs, nowMs]],
      [HEALTH_SQL.holder, []],
      [HEALTH_SQL.failedDeliveries, [0]],
      [CHILDREN_SQL.exists, [5]],
      [SCHEDULE_RUNS_SQL, ["q@0", "q@:", "q", 5]],
      [CHILDREN_SQL.page, [5, 0, 51]],
      [PRUNE_SQL.last, ["completed", 10]],
      [PRUNE_SQL.lock, ["completed", nowMs * 2, nowMs * 2, 1, 0, 0]],
      [PRUNE_SQL.remove, [[5, 6]]],
      [TOTALS_SQL.after, ["0", 0, 2000]],
    ];
    for (const [sql, parameters] of plans) {
      const rows = await access.read((tx) => tx.query(`explain ${sql}`, parameters));
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      assert(!/Seq Scan on (task|live|transition)\b/.test(plan), `${plan}\nof ${sql}`);
    }
    const [first, second] = await access.read((tx) =>
      tx.query(`explain (analyze, buffers) ${HEALTH_SQL.failedDeliveries}`, [0])
    );
    const buffers = /shared hit=(\d+)/.exec(String(second!["QUERY PLAN"]))?.[1] ?? "none";
    assert(Number(buffers) < 50, `${buffers} buffers by ${first!["QUERY PLAN"]}`);
  });
});

/** 10,000 finished tasks and 10,000 that are due, in a lane, with a transition a millisecond in 20 transactions. */
async function fill(database: Statements, schema: string, nowMs: number): Promise<void> {
  const run = (text: string, parameters: Parameter[] = []): Promise<unknown> =>
    database.query(text.replaceAll("@", `"${schema}".`), parameters);
  await run(
    `insert into @task (run_id, lane_id, priority, payload, max_attempts, created_at, outcome,
        finished_at)
      select 'd' || i, 1, 100, 'null', 5, $1::bigint, 'completed', $1::bigint + i from generate_series(1, 10000) i`,
    [nowMs],
  );
  await run(
    `with added as (
      insert into @task (run_id, lane_id, priority, payload, max_attempts, created_at)
      select 'q' || i, 1, 100, 'null', 5, $1::bigint from generate_series(1, 10000) i returning id)
    insert into @live (id, lane_id, priority, draw, state, run_after, waits_for, followed, weight,
      attempts, lease_token, created_at, updated_at)
    select id, 1, 100, random(), 1, $1::bigint, 0, false, 4, 0, 0, $1::bigint, $1::bigint from added`,
    [nowMs],
  );
  for (let part = 0; part < 20; part++) {
    await run(
      `insert into @transition (task_id, at, kind)
        select $2::int + i, $1::bigint + $2::int + i, 'enqueued' from generate_series(1, 1000) i`,
      [nowMs, part * 1000],
    );
  }
  for (const table of ["task", "live", "transition"]) await run(`analyze @${table}`);
}
