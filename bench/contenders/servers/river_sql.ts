/**
 * River's approach as SQL, driven from here: one table, tasks locked by a CTE that skips locked rows, completions gathered
 * into statements over arrays.
 *
 * Where its work differs: finished rows are kept, without transitions; a completion only asks that the task is still running,
 * so one that was given to another worker meanwhile is finished by the first. River itself is written in Go, waits 100 ms
 * between fetches and gathers completions for 50 ms; here a worker fetches as soon as a slot is free, and completions wait
 * for the statement before them only. River's two GIN indexes over payloads and metadata are left out.
 */
import { payloadOf, RESULT, TYPE } from "../contender.ts";
import { type Rows, rowsOf } from "./postgres_rows.ts";
import type { Handler, ServerContender, ServerEntrant, StopWorking } from "./server_contender.ts";

const NAME = "River's approach in SQL";

/** How long a worker that finds nothing sleeps: notifications are left out. */
const IDLE_MS = 5;

function sqlOf(space: string): Readonly<Record<"make" | keyof typeof STATEMENTS, string>> {
  const qualified = (text: string): string => text.replaceAll("@job", `${space}.job`);
  return {
    make: qualified(MAKE).replaceAll("@space", space),
    add: qualified(STATEMENTS.add),
    claim: qualified(STATEMENTS.claim),
    complete: qualified(STATEMENTS.complete),
    open: qualified(STATEMENTS.open),
  };
}

const MAKE = `create schema if not exists @space;
  create table if not exists @job (
    id bigint generated always as identity primary key,
    state text not null default 'available',
    queue text not null default 'default',
    kind text not null,
    priority smallint not null default 1,
    attempt smallint not null default 0,
    max_attempts smallint not null default 25,
    args jsonb not null,
    result jsonb,
    errors jsonb[],
    tags text[] not null default '{}',
    attempted_by text[],
    created_at timestamptz not null default now(),
    scheduled_at timestamptz not null default now(),
    attempted_at timestamptz,
    finalized_at timestamptz
  );
  create index if not exists job_to_fetch on @job (state, queue, priority, scheduled_at, id);
  create index if not exists job_by_kind on @job (kind);
  create index if not exists job_finalized on @job (state, finalized_at) where finalized_at is not null`;

const STATEMENTS = {
  add: `insert into @job (kind, args) select $1, item from json_array_elements($2::text::json) item
    returning id`,
  claim: `with found as (
      select id from @job where state = 'available' and queue = 'default' and scheduled_at <= now()
      order by priority, scheduled_at, id limit $1 for update skip locked)
    update @job j set state = 'running', attempt = j.attempt + 1, attempted_at = now(),
      attempted_by = array_append(j.attempted_by, $2) from found where j.id = found.id returning j.*`,
  complete: `with ended as (
      select * from unnest($1::bigint[], $2::text[]) as e(id, result)),
    held as materialized (
      select j.id from @job j join ended using (id) where j.state = 'running' order by j.id for update of j)
    update @job j set state = 'completed', finalized_at = now(), result = ended.result::jsonb
    from held join ended using (id) where j.id = held.id returning j.*`,
  open: "select from @job where state in ('available', 'running') limit 1",
} as const;

/** River's approach. */
export const riverSql: ServerEntrant = {
  name: NAME,
  survives: "power cut",
  server: "postgres",
  enter: async (url, space): Promise<ServerContender> => {
    const rows = rowsOf(url);
    const sql = sqlOf(space);
    await rows.script(sql.make);
    const river = new River(rows, sql);
    return {
      name: NAME,
      survives: "power cut",
      syncs: () => Promise.resolve(null),
      enqueue: (n) => river.add([payloadOf(n)]),
      enqueueBatch: (count) => river.add(Array.from({ length: count }, (_, n) => payloadOf(n))),
      claimAndComplete: async (limit) => {
        const ids = await river.claim(limit);
        await Promise.all(ids.map((id) => river.complete(id)));
        return ids.length;
      },
      work: (concurrency, handler) => Promise.resolve(river.work(concurrency, handler)),
      hasOpen: async () => (await rows.query(sql.open)).length > 0,
      close: () => rows.close(),
    };
  },
};

interface Ending {
  readonly id: number;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

class River {
  readonly #rows: Rows;
  readonly #sql: ReturnType<typeof sqlOf>;
  #ending: Ending[] = [];
  #isEnding = false;

  constructor(rows: Rows, sql: ReturnType<typeof sqlOf>) {
    this.#rows = rows;
    this.#sql = sql;
  }

  async add(payloads: readonly unknown[]): Promise<void> {
    await this.#rows.query(this.#sql.add, [TYPE, JSON.stringify(payloads)]);
  }

  async claim(limit: number): Promise<number[]> {
    const rows = await this.#rows.query(this.#sql.claim, [limit, "bench"]);
    return rows.map(({ id }) => Number(id));
  }

  /** Joins the next statement of completions. */
  complete(id: number): Promise<void> {
    return new Promise((done, failed) => {
      this.#ending.push({ id, done, failed });
      if (this.#isEnding) return;
      this.#isEnding = true;
      queueMicrotask(() => void this.#end());
    });
  }

  async #end(): Promise<void> {
    while (this.#ending.length > 0) {
      const group = this.#ending;
      this.#ending = [];
      try {
        const ids = group.map(({ id }) => id);
        const results = group.map(() => JSON.stringify(RESULT));
        await this.#rows.query(this.#sql.complete, [ids, results]);
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    this.#isEnding = false;
  }

  /** Fetches as many as there are free slots; a slot is free when its handler has ended. */
  work(concurrency: number, handler: Handler): StopWorking {
    let isStopped = false;
    let running = 0;
    let onFree = (): void => {};
    const underWay = new Set<Promise<void>>();
    const runOne = async (id: number): Promise<void> => {
      try {
        await handler();
      } finally {
        running--;
        onFree();
      }
      await this.complete(id);
    };
    const loop = async (): Promise<void> => {
      while (!isStopped) {
        const ids = running < concurrency ? await this.claim(concurrency - running) : [];
        running += ids.length;
        for (const id of ids) {
          const run = runOne(id).finally(() => underWay.delete(run));
          underWay.add(run);
        }
        if (running >= concurrency) await new Promise<void>((free) => onFree = free);
        else await new Promise((wake) => setTimeout(wake, ids.length > 0 ? 0 : IDLE_MS));
      }
    };
    const ended = loop();
    return async () => {
      isStopped = true;
      onFree();
      await ended;
      await Promise.all(underWay);
    };
  }
}
