/**
 * Eight processes share tasks that depend on each other, and some of them are killed at random: every task ends, once per
 * token, none is stranded, and no deadlock reaches a caller.
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { PostgresDatabase } from "../../src/platform/postgres_driver.ts";
import { Qualifier } from "../../src/postgres_queue/rows/qualified.ts";
import { effort } from "../support/effort.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";
import { seededRandom } from "../support/queues.ts";
import { until } from "../support/until.ts";

const PROCESSES = 8;
const TASKS = effort("postgresTasks");
const KILLS = effort("postgresKills");
const PROGRAM = fileURLToPath(new URL("programs/worker.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** What can never be, each a query that must find nothing. */
const IMPOSSIBLE = {
  "a task that is alive and over":
    "select id from @task join @live using (id) where outcome is not null",
  "a task that is neither alive nor over":
    "select id from @task t where outcome is null and not exists (select from @live v where v.id = t.id)",
  "a task that is alive and unknown":
    "select id from @live v where not exists (select from @task t where t.id = v.id)",
  "a task that waits for another number of parents than it has":
    `select v.id from @live v where v.waits_for <> (
      select count(*) from @dependency d where d.child_id = v.id and d.state = 'open') and v.state <> 4`,
  "a dependency that is open although the parent is over":
    `select d.child_id from @dependency d join @task t on t.id = d.parent_id
      where d.state = 'open' and t.outcome is not null`,
  "a task that was completed twice":
    "select task_id from @transition where kind = 'completed' group by task_id having count(*) > 1",
  "more leases than tokens": `select t.id from @task t where t.lease_token <>
      (select count(*) from @transition p where p.task_id = t.id and p.kind = 'leased')`,
} as const;

/** A worker process, and what it has told so far. */
interface WorkerProcess {
  readonly process: Deno.ChildProcess;
  readonly lines: string[];
  /** Resolves when it has ended and everything that it told is in `lines`: whether it ended by itself, and its errors. */
  readonly ended: Promise<{ readonly success: boolean; readonly errors: string }>;
}

function start(url: string, schema: string): WorkerProcess {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-c", CONFIG, "-A", PROGRAM, url, schema, crypto.randomUUID()],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const read = async (): Promise<void> => {
    let rest = "";
    for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
      const whole = (rest + part).split("\n");
      rest = whole.pop()!;
      lines.push(...whole);
    }
  };
  const ended = Promise.all([process.status, new Response(process.stderr).text(), read()])
    .then(([{ success }, errors]) => ({ success, errors }));
  return { process, lines, ended };
}

/** Whether it was still there to be killed. */
function kill(process: Deno.ChildProcess): boolean {
  try {
    process.kill("SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false; // it has ended by itself
    throw error;
  }
}

const server = postgresForTests(["max_connections=200"]);

Deno.test({
  name: `${PROCESSES} processes with ${KILLS} kills end ${TASKS} tasks, each once per token`,
  fn: async () => {
    const schema = freshSchema();
    const queue = await openPostgresQueue(server.url, { schema });
    const random = seededRandom(7);
    for (let i = 0; i < TASKS; i += 1000) {
      await queue.enqueueBatch(
        Array.from({ length: Math.min(1000, TASKS - i) }, (_, j) => ({
          type: j % 2 === 0 ? "a" : "b",
          maxAttempts: 100,
          priority: 1 + Math.floor(random() * 100),
          runId: `run-${i + j}`,
          dependsOn: j % 5 === 4 ? [`run-${i + j - 1}`, `run-${i + j - 3}`] : [],
        })),
      );
    }
    const told: string[] = [];
    const errors: string[] = [];
    let killsLeft = KILLS;
    let kills = 0;
    const keepOneAlive = async (): Promise<void> => {
      for (;;) {
        const { process, lines, ended } = start(server.url, schema);
        let hasEnded = false;
        ended.finally(() => hasEnded = true);
        if (killsLeft > 0) {
          killsLeft--;
          const enough = 1 + Math.floor(random() * 10);
          await until(() => lines.length >= enough || hasEnded, "a worker at work");
          if (kill(process)) kills++;
        }
        const end = await ended;
        told.push(...lines);
        if (end.errors !== "") errors.push(end.errors);
        if (end.success) return;
      }
    };
    await Promise.all(Array.from({ length: PROCESSES }, keepOneAlive));
    assert(kills > 0, "no worker was killed");
    assert(told.length > 0, "no worker told of a task");
    assertEquals(errors, []);
    assertEquals((await queue.stats()).byStatus.completed, TASKS);
    const byRunId = new Map<string, string>();
    for (const line of told) {
      const [runId, token] = line.split(" ") as [string, string];
      assert(
        !byRunId.has(runId),
        `${runId} was completed with tokens ${byRunId.get(runId)}, ${token}`,
      );
      byRunId.set(runId, token);
    }
    for (const [runId, token] of byRunId) {
      const { result } = (await queue.getByRunId(runId))!;
      assertEquals((result as { token: number }).token, Number(token));
    }
    const database = new PostgresDatabase(parsePostgresAddress(server.url));
    const qualifier = new Qualifier(schema);
    for (const [what, query] of Object.entries(IMPOSSIBLE)) {
      assertEquals(await database.query(qualifier.text(query)), [], what);
    }
    await database.close();
    await queue.close();
  },
});
