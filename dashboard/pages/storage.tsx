/** @jsxImportSource hono/jsx */
/**
 * Storage: the files and the memory of a queue that has its own, what is known of one that is on a database, and deleting.
 */
import {
  databaseOf,
  type DatabaseState,
  maintenanceOf,
  type QueueHealth,
  type SnapshotHolder,
  type StorageStats,
} from "../../src/core.ts";
import type { Services, Viewer } from "../options.ts";
import { bytes, count, duration, share } from "../text.ts";
import { Action, type Html, Text, Time } from "./parts.tsx";
import { Confirm } from "./small.tsx";

/** What the page shows. */
interface Seen {
  readonly health: QueueHealth;
  /** Of a queue that keeps its own files. */
  readonly stats: StorageStats | undefined;
  /** Of a queue on a database. */
  readonly database: DatabaseState | undefined;
}

/** Reads it; what the server of a database says of itself, once for all who look. */
export async function readStorage({ queue, kept }: Services): Promise<Seen> {
  const onDatabase = databaseOf(queue);
  return {
    health: await kept.get("health", () => queue.health()),
    stats: maintenanceOf(queue)?.storageStats(),
    database: onDatabase === null
      ? undefined
      : await kept.get("database", () => onDatabase.databaseState()),
  };
}

export function Storage({ seen, viewer }: { readonly seen: Seen; readonly viewer: Viewer }): Html {
  const { health, stats, database } = seen;
  return (
    <>
      {stats !== undefined && <Files stats={stats} />}
      {database !== undefined && <Database state={database} />}
      {stats === undefined && database === undefined && (
        <p>
          This queue is kept by another server.
        </p>
      )}
      {stats !== undefined && viewer.can("admin") && (
        <p>
          <Action viewer={viewer} path="/checkpoint" label="Checkpoint now" />
        </p>
      )}
      <h2>What health says</h2>
      <p class="dim">
        As of <Time at={health.at} nowMs={viewer.nowMs} />: {health.verdict}
      </p>
      {health.reasons.length > 0 && (
        <ul>
          {health.reasons.map(({ severity, message }) => (
            <li>
              {severity}: <Text of={message} max={500} />
            </li>
          ))}
        </ul>
      )}
      {viewer.can("admin") && (
        <>
          <h2>Delete finished tasks</h2>
          <form class="bar" action={`${viewer.prefix}/prune`}>
            <label>
              Finished more than so many days ago
              <input name="days" type="number" min="0" max="99999" value="30" required />
            </label>
            <button type="submit">Delete…</button>
          </form>
        </>
      )}
    </>
  );
}

function Files({ stats }: { readonly stats: StorageStats }): Html {
  const facts: readonly (readonly [string, string])[] = [
    ["Place", stats.location],
    ["Journal since the snapshot", bytes(stats.journalBytes)],
    ["Snapshot", bytes(stats.snapshotBytes)],
    ["Last record", count(stats.sequence)],
    [
      "Memory",
      `${bytes(stats.memoryUsedBytes)} of ${bytes(stats.memoryMaxBytes)} (${
        share(stats.memoryUsedBytes / stats.memoryMaxBytes)
      })`,
    ],
    ["Commits of this process", count(stats.commits)],
    ["fsyncs of this process", count(stats.syncs)],
    ["Torn tails cut", count(stats.tornTails)],
  ];
  return <FactList facts={facts} />;
}

function Database({ state }: { readonly state: DatabaseState }): Html {
  const { location, isListening, deadRows, oldestSnapshot } = state;
  return (
    <FactList
      facts={[
        ["Place", location],
        [
          "Listener",
          isListening
            ? "hears what other processes change"
            : "hears nothing: each second it is looked for what others have changed",
        ],
        ["Dead rows", `${count(deadRows.count)}, most of all tables in "${deadRows.table}"`],
        [
          "Oldest snapshot",
          oldestSnapshot === null ? "none that holds up vacuum" : heldBy(oldestSnapshot),
        ],
      ]}
    />
  );
}

function heldBy({ kind, name, program, state, ageMs }: SnapshotHolder): string {
  const details = [program, state].filter((text) => text !== "");
  const whose = details.length > 0 ? ` (${details.join(", ")})` : "";
  return `for ${duration(ageMs)}, by ${kind} ${name}${whose}`;
}

function FactList(
  { facts }: { readonly facts: readonly (readonly [name: string, value: string])[] },
): Html {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>
            <Text of={value} max={500} />
          </dd>
        </>
      ))}
    </dl>
  );
}

/** Asks before tasks are deleted. */
export function ConfirmPrune(
  { days, viewer }: { readonly days: number; readonly viewer: Viewer },
): Html {
  return (
    <Confirm
      viewer={viewer}
      path="/prune"
      label="Delete them for good"
      fields={{ days: String(days) }}
      back="/storage"
    >
      <p>
        Every completed, failed and cancelled task that ended more than <strong>{days} days</strong>
        {" "}
        ago is deleted, with its transitions and its log. Nothing brings them back, except a backup.
      </p>
    </Confirm>
  );
}
