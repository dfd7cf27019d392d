/** @jsxImportSource hono/jsx */
/**
 * Storage: the files and the memory of a queue that has its own, what is known of one that is on a database, and deleting.
 */
import {
  maintenanceOf,
  type QueueHealth,
  type StorageStats,
  type TaskQueue,
} from "../../src/core.ts";
import type { Viewer } from "../options.ts";
import { bytes, count, share } from "../text.ts";
import { Action, type Html, Text, Time } from "./parts.tsx";
import { Confirm } from "./small.tsx";

export function Storage(
  { queue, health, viewer }: {
    readonly queue: TaskQueue;
    readonly health: QueueHealth;
    readonly viewer: Viewer;
  },
): Html {
  const stats = maintenanceOf(queue)?.storageStats();
  return (
    <>
      {stats === undefined
        ? <p>This queue is kept by a database or by another server.</p>
        : <Files stats={stats} />}
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
