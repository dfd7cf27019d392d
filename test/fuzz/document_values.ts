/**
 * Values that the OpenAPI document allows, of what exists where they go.
 *
 * A field that the document describes is known by its schema; what a schema cannot say (which runs there are, what an
 * expression looks like) by its name.
 */
import type { Lease } from "../../src/mod.ts";
import {
  type OpenApiDocument,
  type Operation,
  type Parameter,
  resolved,
  type Schema,
} from "../server/openapi_document.ts";
import type { Chance } from "./chance.ts";

/** What exists where the requests go. */
export interface Known {
  readonly runIds: readonly string[];
  readonly taskIds: readonly number[];
  readonly modules: readonly string[];
  readonly scheduleIds: readonly string[];
  /** The leases that are held now; never empty. */
  readonly leases: readonly Lease[];
}

type Maker = (chance: Chance, known: Known) => unknown;

const some = (...values: readonly unknown[]): Maker => (chance) => chance.pick(values);
const module: Maker = (chance, { modules }) => chance.pick(["t", ...modules]);
const types: Maker = (chance, known) => [...chance.some(2, () => module(chance, known)), "t"];
const instant = some("2030-01-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00+01:00");
const parameters: Maker = (chance) =>
  chance.choose<unknown>(
    () => ({ to: "ann@example.com" }),
    () => ({ to: "ann@example.com", copies: 3 }),
    () => chance.json(),
  );

/** How the fields and parameters are made that a schema does not tell enough of, by their names. */
const MAKERS: Readonly<Record<string, Maker>> = {
  type: module,
  types,
  module_id: module,
  parameters,
  payload: parameters,
  result: parameters,
  details: (chance) => chance.json(),
  run_id: (chance, { runIds }) => chance.pick([...runIds, "new", `r${chance.below(999)}`]),
  idempotency_key: some("", "k1", "k2"),
  "idempotency-key": some("", "k1", "k2"),
  compatibility: some({ region: "eu", gpu: { n: 1 } }, {}),
  capabilities: some({ region: "eu", gpu: { n: 1 } }, {}),
  run_after: instant,
  since: instant,
  depends_on: (chance, { runIds, taskIds }) =>
    chance.some(2, () => chance.pick([...runIds, ...taskIds])),
  url: some(
    "https://hooks.example.com/done",
    "http://localhost:1/x?y#z",
    "ftp://h/",
    "http://u:p@h/",
  ),
  id: (chance, { scheduleIds }) => chance.pick([...scheduleIds, `s${chance.below(9)}`]),
  cron: some("30 2 * * *", "@daily", "0 0 29 2 *", "15 */2 * * * *", "61 * * * *", "* * * *"),
  time_zone: some("UTC", "Europe/Berlin", "Asia/Kathmandu", "Mars/Base"),
  error: (chance) => chance.pick(["mailbox full", `no\n    at ${"x".repeat(5000)}`]),
  older_than_ms: some(0, 1, 86_400_000),
  wait: some("1ms", "0s", "61s", "1h"),
  wait_ms: some(0, 1, 5),
  cursor: some("1", "5", "1000", "0-0", "0-1", "999-0", "x"),
  "last-event-id": some("0", "3", "0-0", "1-0", "0-0-end", "0-0-0123abcd", "99999"),
};

/** Exactly one of these is needed where they are fields, which a schema does not say. */
const ALTERNATIVES = ["cron", "every_ms"];

/** Values by chance. One lease goes through all of them, so that its three fields belong together. */
export class Values {
  readonly chance: Chance;
  readonly #document: OpenApiDocument;
  readonly #known: Known;
  readonly #lease: Readonly<Record<string, unknown>>;

  constructor(chance: Chance, document: OpenApiDocument, known: Known) {
    this.chance = chance;
    this.#document = document;
    this.#known = known;
    const { taskId, workerId, leaseToken } = chance.pick(known.leases);
    this.#lease = {
      task_id: taskId,
      worker_id: workerId,
      lease_token: chance.oneIn(4) ? leaseToken + 1 : leaseToken,
    };
  }

  /** A value of a field or parameter with this schema and name. */
  of(schema: Schema, name: string): unknown {
    if (name in this.#lease) return this.#lease[name];
    const maker = MAKERS[name];
    if (maker !== undefined) return maker(this.chance, this.#known);
    const { enum: values, properties, required = [], items, minItems = 0, ...rest } = resolved(
      schema,
      this.#document,
    );
    if (values !== undefined) return this.chance.pick(values);
    if (properties !== undefined) return this.#object(properties, required);
    if (items !== undefined) {
      return Array.from({ length: minItems + this.chance.below(3) }, () => this.of(items, ""));
    }
    return this.#scalar(rest);
  }

  /** The id in an operation's path. */
  pathId({ path }: Operation): string | number {
    const { modules, taskIds, scheduleIds, runIds, leases } = this.#known;
    if (path.startsWith("/api/modules/")) return this.chance.pick(modules);
    if (path.startsWith("/api/queue/tasks/")) return this.chance.pick(taskIds);
    if (path.startsWith("/api/queue/workers/")) return this.chance.pick(leases).workerId;
    if (path.startsWith("/api/schedules/")) return this.chance.pick(scheduleIds);
    return this.chance.pick(runIds);
  }

  /** The text of a parameter, valid two times in three. */
  text({ name, schema }: Parameter): string {
    return this.chance.oneIn(3) ? this.chance.text() : String(this.of(schema, name));
  }

  /** With every member that is required and some of the others. */
  #object(properties: Readonly<Record<string, Schema>>, required: readonly string[]): object {
    const needed = [...required, this.chance.pick(ALTERNATIVES)];
    const isGiven = ([name]: [string, Schema]): boolean =>
      needed.includes(name) || !ALTERNATIVES.includes(name) && this.chance.oneIn(3);
    return Object.fromEntries(
      Object.entries(properties).filter(isGiven).map(([name, schema]) => [
        name,
        this.of(schema, name),
      ]),
    );
  }

  #scalar({ type, example, minimum = 0, maximum = 1000 }: Schema): unknown {
    if (type === "boolean") return this.chance.oneIn(2);
    if (type !== "integer" && type !== "number") return example ?? this.chance.json();
    const inside = Math.min(maximum, minimum + this.chance.below(50));
    return this.chance.pick([minimum, maximum, inside, example ?? inside]);
  }
}
