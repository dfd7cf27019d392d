/**
 * Lanes: the tasks of one type and compatibility, those with a group and those without one apart. A process knows those that it has
 * met; there are few, and none goes.
 */
import { WEBHOOK_TYPE } from "../../domain/webhook.ts";
import type { Statements } from "./database.ts";

/** A lane as it is stored. */
export interface Lane {
  readonly id: number;
  readonly type: string;
  readonly compatibility: string;
  /** Whether its tasks have groups, which take turns. */
  readonly isGrouped: boolean;
}

/** What a lane is made from; a task's group is an empty string when it has none. */
export interface LaneName {
  readonly type: string;
  readonly compatibility: string;
  readonly grp: string;
}

/** Where deliveries of webhooks wait. */
export const DELIVERY_LANE: LaneName = Object.freeze({
  type: WEBHOOK_TYPE,
  compatibility: "{}",
  grp: "",
});

/** Runs statements in a transaction of their own. */
type RunAlone = <T>(run: (tx: Statements) => Promise<T>) => Promise<T>;

const LANE_SQL = {
  /** So that lanes become visible in the order of their ids: who knows the highest knows all. */
  lock: "lock table @lane in share row exclusive mode",
  add: `insert into @lane (type, compatibility, is_grouped) select type, compatibility, is_grouped
    from json_to_recordset($1::text::json) as r(type text, compatibility text, is_grouped boolean)
    on conflict do nothing`,
  after:
    `select lane_id, type, compatibility, is_grouped from @lane where lane_id > $1 order by lane_id`,
} as const;

/** The lanes that are known here. */
export class Lanes {
  readonly #statements: Statements;
  readonly #runAlone: RunAlone;
  readonly #byName = new Map<string, Lane>();
  #lastId = 0;

  constructor(statements: Statements, runAlone: RunAlone) {
    this.#statements = statements;
    this.#runAlone = runAlone;
  }

  /** The highest id of those that are known; 0 without any. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Reads the lanes that others have added; those. */
  async refresh(statements: Statements = this.#statements): Promise<readonly Lane[]> {
    return this.learn(await statements.query(LANE_SQL.after, [this.#lastId]));
  }

  /** The lanes that are known. */
  known(): Iterable<Lane> {
    return this.#byName.values();
  }

  /** Whether the lane is known. */
  knows(name: LaneName): boolean {
    return this.#byName.has(keyOf(name));
  }

  /** The id of a lane that `ensure` has seen to. */
  idOf(name: LaneName): number {
    const lane = this.#byName.get(keyOf(name));
    if (lane === undefined) throw new Error(`Cannot find the lane of ${JSON.stringify(name)}`);
    return lane.id;
  }

  /** Sees to it that lanes that are stored are known, by a statement of a transaction that is under way. */
  async find(names: readonly LaneName[], tx: Statements): Promise<void> {
    if (names.some((name) => !this.#byName.has(keyOf(name)))) await this.refresh(tx);
  }

  /** Makes the lanes that are missing, in a transaction of their own. */
  async ensure(names: readonly LaneName[]): Promise<void> {
    const isMissing = (name: LaneName): boolean => !this.#byName.has(keyOf(name));
    if (!names.some(isMissing)) return;
    await this.refresh();
    const missing = new Map(names.filter(isMissing).map((name) => [keyOf(name), name]));
    if (missing.size === 0) return;
    const wanted = [...missing.values()].map(({ type, compatibility, grp }) => ({
      type,
      compatibility,
      is_grouped: grp !== "",
    }));
    await this.#runAlone(async (tx) => {
      await tx.query(LANE_SQL.lock);
      await tx.query(LANE_SQL.add, [JSON.stringify(wanted)]);
    });
    await this.refresh();
  }

  /** Notes lanes that were read as rows of `lane`; those. */
  learn(rows: readonly Readonly<Record<string, unknown>>[]): readonly Lane[] {
    const lanes = rows.map(laneOfRow);
    for (const lane of lanes) {
      this.#byName.set(keyOfLane(lane), lane);
      this.#lastId = Math.max(this.#lastId, lane.id);
    }
    return lanes;
  }
}

/** A row of `lane`. */
export function laneOfRow(row: Readonly<Record<string, unknown>>): Lane {
  return {
    id: Number(row.lane_id),
    type: String(row.type),
    compatibility: String(row.compatibility),
    isGrouped: row.is_grouped === true,
  };
}

function keyOf({ type, compatibility, grp }: LaneName): string {
  return keyOfLane({ type, compatibility, isGrouped: grp !== "" });
}

function keyOfLane({ type, compatibility, isGrouped }: Omit<Lane, "id">): string {
  return JSON.stringify([type, compatibility, isGrouped]);
}
