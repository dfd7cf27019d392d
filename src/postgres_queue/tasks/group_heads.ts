/**
 * Heads of groups: the groups of lanes whose turn comes first, with the first ready tasks of each.
 *
 * Of the n-th group in a lane a claim of so many tasks takes at most that many divided by n while every weight is the same, so as many
 * are read with it; where that was too few, what is missing is read then. They are not locked: most are not taken. Where what was
 * chosen turns out to be locked, heads are read anew, past those that are.
 */
import { CLAIM_ORDERS, type ClaimOrder } from "../../domain/claim_order.ts";
import { type CountHeld, keyOf } from "../../queue_policy/flow.ts";
import type { GroupHeads, Head } from "../../queue_policy/turns.ts";
import type { Row, SqlValue, Statements } from "../rows/database.ts";
import { slotsOf } from "../rows/flow_rows.ts";
import type { GroupRow } from "../rows/groups.ts";
import { clockOf, mayStillStart } from "./claim_sql.ts";
import { sortOf } from "./marks.ts";

/** How heads are read: as they are, or locked and past those that others have locked. */
interface Reading {
  readonly order: ClaimOrder;
  readonly isLocking: boolean;
}

/** The first tasks of the group `g` as JSON: `[id, key, weight]` each. `now` is a column. */
function headsSql({ order, isLocking }: Reading, limit: string): string {
  const { sort, key } = sortOf(order);
  return `(select json_agg(json_build_array(head.id, head.key, head.weight))::text from (
      select v.id, ${key} as key, v.weight from @live v
      where v.lane_id = g.lane_id and v.grp = g.grp and v.grp <> '' and v.state = 1
        and ${mayStillStart("g.now")}
      order by ${sort} limit ${limit}${isLocking ? " for update of v skip locked" : ""}) as head)`;
}

/** `$1` are lanes, `$2` is how many groups of each, `$3` how many tasks in all, `$4` the time of a test, `$5` whether slots are counted. */
function firstSql(reading: Reading): string {
  return `with g as materialized (
    select turn.*, line.type, ${clockOf("$4")} as now,
      row_number() over (partition by turn.lane_id order by turn.tag, turn.grp) as nth
    from unnest($1::int[]) as r(lane_id) join @lane line using (lane_id) cross join lateral (
      select t.lane_id, t.grp, t.tag, t.served, t.clock from @group_turn t
      where t.lane_id = line.lane_id and t.is_active and t.closed_by is null and t.grp <> ''
      order by t.tag, t.grp limit $2) as turn)
  select g.lane_id, g.grp, g.tag, g.served, g.clock, g.type, ceil($3::float8 / g.nth) + 1 as most,
    case when $5 then ${slotsOf("g.type", "g.grp", "g.now")} end as held_of_type,
    case when $5 then ${slotsOf("''", "g.grp", "g.now")} end as held,
    ${headsSql(reading, "(ceil($3::float8 / g.nth) + 1)::bigint")} as heads
  from g order by g.lane_id, g.nth`;
}

/** `$1` are lanes, `$2` groups, `$3` is how many of each, `$4` the time of a test. */
function moreSql(reading: Reading): string {
  return `with g as materialized (
    select r.*, ${clockOf("$4")} as now
    from unnest($1::int[], $2::text[], $3::bigint[]) with ordinality as r(lane_id, grp, most, place))
  select ${headsSql(reading, "g.most")} as heads from g order by g.place`;
}

/** The statements of one way of reading. */
interface HeadsSql {
  readonly first: string;
  readonly more: string;
}

function inEachOrder(isLocking: boolean): Readonly<Record<ClaimOrder, HeadsSql>> {
  const entries = CLAIM_ORDERS.map((order) => {
    const reading = { order, isLocking };
    return [order, { first: firstSql(reading), more: moreSql(reading) }];
  });
  return Object.fromEntries(entries) as Record<ClaimOrder, HeadsSql>;
}

const HEADS_SQL = { free: inEachOrder(false), locking: inEachOrder(true) } as const;

function statementsFor({ order, isLocking }: Reading): HeadsSql {
  return HEADS_SQL[isLocking ? "locking" : "free"][order];
}

/** What groups are read for. */
export interface HeadsRequest extends Reading {
  readonly laneIds: readonly number[];
  /** How many groups of each lane at most. */
  readonly groupsMax: number;
  /** How many tasks in all. */
  readonly limit: number;
  /** Whether limits count slots of groups. */
  readonly isCounted: boolean;
  /** The time of a test; `null` for the server's. */
  readonly nowMs: number | null;
}

/** What is known of a group's ready tasks. */
interface KnownHeads {
  readonly heads: readonly Head[];
  readonly isAll: boolean;
}

/** The open groups of some lanes and their first tasks, as far as they have been read. */
export class GroupsInTurn implements GroupHeads<GroupRow> {
  readonly #reading: Reading;
  readonly #nowMs: number | null;
  readonly #groups = new Map<number, GroupRow[]>();
  readonly #known = new Map<GroupRow, KnownHeads>();
  readonly #weights = new Map<number, number>();
  readonly #held = new Map<string, number>();
  readonly #missing = new Map<GroupRow, number>();

  constructor(request: Reading & Pick<HeadsRequest, "nowMs">, rows: readonly Row[]) {
    this.#reading = request;
    this.#nowMs = request.nowMs;
    for (const row of rows) this.#add(row);
  }

  /** The groups of a lane that were read, the next first. */
  of(laneId: number): readonly GroupRow[] {
    return this.#groups.get(laneId) ?? [];
  }

  /** How many characters the payload of a task has whose head was read. */
  weightOf(taskId: number): number {
    return this.#weights.get(taskId) ?? 0;
  }

  /** How many slots a scope of a group that was read holds. */
  readonly countHeld: CountHeld = (scope) => this.#held.get(keyOf(scope)) ?? 0;

  /** Adds a group whose tasks stand elsewhere. */
  know(group: GroupRow, known: KnownHeads): void {
    this.#known.set(group, known);
  }

  /** Notes how large a task's payload is. */
  weigh(taskId: number, weight: number): void {
    this.#weights.set(taskId, weight);
  }

  at(group: GroupRow, place: number): Head | undefined {
    const { heads, isAll } = this.#known.get(group)!;
    if (place >= heads.length && !isAll && group.grp !== "") {
      this.#missing.set(group, 2 * place + 2);
    }
    return heads[place];
  }

  hasAt(group: GroupRow, place: number): boolean | undefined {
    const { heads, isAll } = this.#known.get(group)!;
    return place < heads.length || (isAll ? false : undefined);
  }

  /** Reads what was asked for and had not been read; whether there was any. */
  async readMissing(tx: Statements): Promise<boolean> {
    const missing = [...this.#missing];
    if (missing.length === 0) return false;
    this.#missing.clear();
    const rows = await tx.query(statementsFor(this.#reading).more, [
      missing.map(([{ laneId }]) => laneId),
      missing.map(([{ grp }]) => grp),
      missing.map(([, most]) => most),
      this.#nowMs,
    ]);
    for (const [i, [group, most]] of missing.entries()) this.#learn(group, rows[i]!.heads!, most);
    return true;
  }

  #add(row: Row): void {
    const group = {
      laneId: Number(row.lane_id),
      grp: String(row.grp),
      tag: Number(row.tag),
      served: Number(row.served),
      clock: Number(row.clock),
    };
    const known = this.#groups.get(group.laneId);
    if (known === undefined) this.#groups.set(group.laneId, [group]);
    else known.push(group);
    this.#held.set(keyOf({ type: String(row.type), grp: group.grp }), Number(row.held_of_type));
    this.#held.set(keyOf({ type: "", grp: group.grp }), Number(row.held));
    this.#learn(group, row.heads!, Number(row.most));
  }

  #learn(group: GroupRow, heads: SqlValue, most: number): void {
    const found = JSON.parse(String(heads ?? "[]")) as [id: number, key: number, weight: number][];
    for (const [id, , weight] of found) this.weigh(id, weight);
    this.know(group, {
      heads: found.map(([id, key]): Head => [id, key]),
      isAll: found.length < most,
    });
  }
}

/** Reads the groups whose turns come first. */
export async function readGroups(tx: Statements, request: HeadsRequest): Promise<GroupsInTurn> {
  const { laneIds, groupsMax, limit, isCounted, nowMs } = request;
  const parameters = [laneIds, groupsMax, limit, nowMs, isCounted];
  return new GroupsInTurn(request, await tx.query(statementsFor(request).first, parameters));
}
