/** @jsxImportSource hono/jsx */
/**
 * One task: why it is where it is, what happened to it, what it was given and what came of it.
 */
import type {
  Explanation,
  ExplanationReason,
  LogLine,
  Task,
  TaskTransition,
} from "../../src/core.ts";
import { mask } from "../mask.ts";
import type { Services, Viewer } from "../options.ts";
import {
  Action,
  Duration,
  type Html,
  Json,
  Status,
  Table,
  TaskLink,
  TasksLink,
  Text,
  Time,
} from "./parts.tsx";
import { visible } from "../text.ts";
import { Confirm, PriorityField, TimeField } from "./small.tsx";
import { type Family, type FamilyPart, FamilyView, readFamily } from "./family.tsx";
import { Timeline } from "./timeline.tsx";

/** Lines of the log and transitions on a page. */
const LINES = 50;
const TRANSITIONS = 200;

/** What the page shows. */
export interface SeenTask {
  readonly task: Task;
  readonly explanation: Explanation | undefined;
  readonly transitions: readonly TaskTransition[];
  readonly family: Family;
  /** `undefined` when no log is kept here. */
  readonly log: readonly LogLine[] | undefined;
  /** Whether values are shown unmasked. */
  readonly isUnmasked: boolean;
}

/** Matches no key. */
const NOTHING = /(?!)/;

/** Reads a task; `undefined` when there is none. */
export async function readTask(
  { queue, app }: Services,
  id: number,
  { isUnmasked, part }: { readonly isUnmasked: boolean; readonly part: FamilyPart },
): Promise<SeenTask | undefined> {
  const task = await queue.get(id);
  if (task === undefined) return undefined;
  return {
    ...{ task, isUnmasked },
    explanation: await queue.explain(id),
    transitions: await queue.transitions(id, { offset: -TRANSITIONS, limit: TRANSITIONS }),
    family: await readFamily(queue, id, part),
    log: (await app.logs?.tail(id, { lines: LINES }))?.lines,
  };
}

export function TaskView(
  { seen, viewer }: { readonly seen: SeenTask; readonly viewer: Viewer },
): Html {
  const { task, transitions, family, log } = seen;
  return (
    <>
      <Why seen={seen} viewer={viewer} />
      <Buttons task={task} viewer={viewer} />
      <h2>Timeline</h2>
      <Timeline transitions={transitions} nowMs={viewer.nowMs} isOver={task.finishedAt !== null} />
      <Transitions transitions={transitions} viewer={viewer} />
      <Values seen={seen} viewer={viewer} />
      {log !== undefined && <Log log={log} seen={seen} viewer={viewer} />}
      <FamilyView family={family} task={task} viewer={viewer} />
      <h2>Facts</h2>
      <Facts task={task} viewer={viewer} />
    </>
  );
}

/** Where to look for more about a reason. */
const ELSEWHERE: Partial<Record<ExplanationReason, readonly [string, string]>> = {
  waiting_for_parents: ["#parents", "its parents"],
  paused: ["#flow", "limits and pauses"],
  concurrency_limited: ["#flow", "limits and pauses"],
  rate_limited: ["#flow", "limits and pauses"],
  no_worker: ["/workers", "workers"],
  no_handler: ["/workers", "workers"],
  no_capable_worker: ["/workers", "workers"],
  type_at_limit: ["/workers", "workers"],
  workers_busy: ["/workers", "workers"],
  leased: ["/workers", "workers"],
  lease_expired: ["/workers", "workers"],
};

function Why({ seen, viewer }: { readonly seen: SeenTask; readonly viewer: Viewer }): Html {
  const { task, explanation } = seen;
  const more = explanation && ELSEWHERE[explanation.reason];
  const path = more?.[0] === "#flow" ? `${viewer.prefix || "/"}#flow` : more?.[0];
  return (
    <p data-say={`Task ${task.id} is ${task.status}`}>
      <Status of={task.status} />{" "}
      {explanation !== undefined && <Text of={explanation.summary} max={2000} />}
      {more !== undefined && (
        <>
          · <a href={path!.startsWith("/w") ? viewer.prefix + path : path}>{more[1]}</a>
        </>
      )}
      {task.progress !== null && task.status === "leased" && (
        <>
          {" "}
          <progress max="100" value={task.progress} aria-label="Progress" /> {task.progress} %{" "}
          <Text of={task.progressMessage ?? ""} max={500} />
        </>
      )}
    </p>
  );
}

function Buttons({ task, viewer }: { readonly task: Task; readonly viewer: Viewer }): Html {
  const { status, id } = task;
  const fields = { id: String(id) };
  return (
    <div class="bar">
      {viewer.can("operate") && (status === "failed" || status === "cancelled") && (
        <Action viewer={viewer} path="/tasks/retry" label="Retry" fields={fields} />
      )}
      {viewer.can("operate") && (status === "queued" || status === "leased") && (
        <Action viewer={viewer} path="/tasks/cancel" label="Cancel" fields={fields} isGrave />
      )}
      {viewer.can("operate") && status === "queued" && task.runAfter.getTime() > viewer.nowMs && (
        <Action viewer={viewer} path="/tasks/run_now" label="Run now" fields={fields} />
      )}
      {viewer.can("enqueue") && (
        <a href={`${viewer.prefix}/tasks/${id}/again`}>Edit and enqueue as a new task…</a>
      )}
      {viewer.can("operate") && status !== "leased" && status !== "completed" && (
        <a href={`${viewer.prefix}/tasks/${id}/replace`}>Correct the payload…</a>
      )}
      {viewer.can("operate") && status === "queued" && (
        <a href={`${viewer.prefix}/tasks/${id}/edit`}>Priority, time and more…</a>
      )}
      {viewer.can("admin") && status !== "leased" && (
        <a href={`${viewer.prefix}/tasks/${id}/remove`}>Delete…</a>
      )}
    </div>
  );
}

function Transitions(
  { transitions, viewer }: {
    readonly transitions: readonly TaskTransition[];
    readonly viewer: Viewer;
  },
): Html {
  return (
    <details open={transitions.length <= 12}>
      <summary>{transitions.length} transitions</summary>
      <Table label="Transitions" head={["when", "what", "attempt", "worker", "took", "why"]}>
        {transitions.map((each) => (
          <tr>
            <td>
              <Time at={each.at} nowMs={viewer.nowMs} />
            </td>
            <td>{each.kind}</td>
            <td>{each.attempt ?? "–"}</td>
            <td>
              <Text of={each.worker ?? "–"} max={60} />
            </td>
            <td>
              {each.durationMs === null ? "–" : (
                <>
                  {each.kind === "leased" ? "waited " : "ran "}
                  <Duration ms={each.durationMs} />
                </>
              )}
              {each.delayMs !== null && (
                <>
                  , next in <Duration ms={each.delayMs} />
                </>
              )}
            </td>
            <td>
              <Text of={reasonsOf(each).join("; ")} max={500} />
            </td>
          </tr>
        ))}
      </Table>
    </details>
  );
}

/** What a step says of itself, and who did it by hand. */
function reasonsOf({ error, by, changes }: TaskTransition): string[] {
  const edits = Object.entries(changes ?? {}).map(([name, { from, to }]) =>
    `${name} ${from ?? "none"} → ${to ?? "none"}`
  );
  return [...error === null ? [] : [error], ...edits, ...by === null ? [] : [`by ${by}`]];
}

function Values({ seen, viewer }: { readonly seen: SeenTask; readonly viewer: Viewer }): Html {
  const { task, isUnmasked } = seen;
  const pattern = isUnmasked ? NOTHING : viewer.maskedKeys;
  const payload = mask(task.payload, pattern);
  const result = mask(task.result, pattern);
  const whole = (part: string): string =>
    `${viewer.prefix}/tasks/${task.id}/${part}${isUnmasked ? "?unmask=1" : ""}`;
  return (
    <>
      <h2>Payload and result</h2>
      {(payload.isMasked || result.isMasked) && (
        <p class="dim">
          Values of keys that look secret are masked.{" "}
          {viewer.can("admin") && (
            <a href={`${viewer.prefix}/tasks/${task.id}?unmask=1`}>Show them</a>
          )}
        </p>
      )}
      <details open>
        <summary>Payload</summary>
        <Json value={payload.value} whole={whole("payload")} />
      </details>
      {task.errorMessage !== null && (
        <details open>
          <summary>Error</summary>
          <pre tabindex={0}><Text of={task.errorMessage} max={4000} /></pre>
        </details>
      )}
      {task.status === "completed" && (
        <details>
          <summary>Result</summary>
          <Json value={result.value} whole={whole("result")} />
        </details>
      )}
    </>
  );
}

function Log(
  { log, seen, viewer }: {
    readonly log: readonly LogLine[];
    readonly seen: SeenTask;
    readonly viewer: Viewer;
  },
): Html {
  const pattern = seen.isUnmasked ? NOTHING : viewer.maskedKeys;
  return (
    <>
      <h2>Log</h2>
      {log.length === 0 ? <p class="dim">Its handler has written nothing.</p> : (
        <Table
          label={`The last ${log.length} lines of its log`}
          head={["when", "attempt", "level", "message"]}
        >
          {log.map((line) => (
            <tr>
              <td>
                <Time at={new Date(line.at)} nowMs={viewer.nowMs} />
              </td>
              <td>{line.attempt}</td>
              <td>{line.level}</td>
              <td>
                <Text of={line.message} max={2000} />
                {line.details !== undefined && (
                  <details>
                    <summary>details</summary>
                    <Json value={mask(line.details, pattern).value} />
                  </details>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function Facts({ task, viewer }: { readonly task: Task; readonly viewer: Viewer }): Html {
  const { nowMs } = viewer;
  const facts: readonly (readonly [string, Html])[] = [
    ["Run id", <Text of={task.runId} />],
    [
      "Type",
      <TasksLink viewer={viewer} filter={{ type: task.type }}>
        <Text of={task.type} />
      </TasksLink>,
    ],
    [
      "Group",
      task.group === null ? <>–</> : (
        <TasksLink viewer={viewer} filter={{ group: task.group }}>
          <Text of={task.group} />
        </TasksLink>
      ),
    ],
    ["Tags", <Tags task={task} viewer={viewer} />],
    ["Priority", <>{task.priority}</>],
    ["Attempts", <>{task.attempts} of {task.maxAttempts}</>],
    ["Stored", <Time at={task.createdAt} nowMs={nowMs} />],
    ["Due", <Time at={task.runAfter} nowMs={nowMs} />],
    ["Expires", <Time at={task.expiresAt} nowMs={nowMs} />],
    ["Began", <Time at={task.processingStarted} nowMs={nowMs} />],
    ["Ended", <Time at={task.finishedAt} nowMs={nowMs} />],
    ["Lease until", <Time at={task.leaseUntil} nowMs={nowMs} />],
    ["Worker", <Text of={task.lockedBy ?? "–"} />],
    ["Idempotency key", <Text of={task.idempotencyKey ?? "–"} />],
    ["Unique key", <Text of={task.uniqueKey ?? "–"} />],
    ["Ordering key", <Text of={task.orderingKey ?? "–"} />],
    ["Needs", <Text of={JSON.stringify(task.compatibility)} max={500} />],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

/** Each tag leads to the tasks that have it. */
function Tags({ task, viewer }: { readonly task: Task; readonly viewer: Viewer }): Html {
  if (task.tags.length === 0) return <>–</>;
  return (
    <ul class="tags">
      {task.tags.map((tag) => (
        <li>
          <TasksLink viewer={viewer} filter={{ tag }}>
            <Text of={tag} />
          </TasksLink>
        </li>
      ))}
    </ul>
  );
}

/** A task whose payload is to be edited, by somebody who may see it or not. */
interface EditedPayload {
  readonly task: Task;
  readonly viewer: Viewer;
  readonly isUnmasked: boolean;
}

/** Says that a payload cannot be edited because parts of it are masked. */
function Masked(
  { task, viewer, page }: Omit<EditedPayload, "isUnmasked"> & { readonly page: string },
): Html {
  return (
    <p>
      Parts of the payload are masked, so it cannot be edited. {viewer.can("admin")
        ? <a href={`${viewer.prefix}/tasks/${task.id}/${page}?unmask=1`}>Show them and edit</a>
        : "A token with scope admin can."}
    </p>
  );
}

/** The form that changes a task while it waits. */
export function EditForm(
  { task, viewer }: { readonly task: Task; readonly viewer: Viewer },
): Html {
  return (
    <form method="post" action={`${viewer.prefix}/tasks/edit`} class="stack">
      <p>
        Task <TaskLink id={task.id} viewer={viewer} /> is due{" "}
        <Time at={task.runAfter} nowMs={viewer.nowMs} />. What is left empty stays.
      </p>
      <input type="hidden" name="id" value={task.id} />
      <input type="hidden" name="seen" value={task.updatedAt.toISOString()} />
      <PriorityField priority={task.priority} />
      <TimeField label="Not before" />
      <label>
        Attempts in all (it has begun {task.attempts})<input
          name="max_attempts"
          type="number"
          min={task.attempts + 1}
          max="100"
          value={task.maxAttempts}
        />
      </label>
      <label>
        Group (empty: none)<input name="group" value={task.group ?? ""} maxlength={200} />
      </label>
      <label>
        Tags, one in each line (empty: none)<textarea name="tags" rows={3} spellcheck={false}>
          {visible(task.tags.join("\n"))}
        </textarea>
      </label>
      <button type="submit">Change it</button>
    </form>
  );
}

/** The form that stores another task in place of one. */
export function ReplaceForm({ task, viewer, isUnmasked }: EditedPayload): Html {
  const payload = mask(task.payload, isUnmasked ? NOTHING : viewer.maskedKeys);
  if (payload.isMasked) return <Masked task={task} viewer={viewer} page="replace" />;
  return (
    <form method="post" action={`${viewer.prefix}/tasks/replace`} class="stack">
      <p>
        A new task with this payload takes the place of <TaskLink id={task.id} viewer={viewer} />
        {task.status === "queued"
          ? ", which is cancelled; what waits for it waits for the new one."
          : ", which stays as it is."}
      </p>
      <input type="hidden" name="id" value={task.id} />
      <input type="hidden" name="seen" value={task.updatedAt.toISOString()} />
      <label>
        Payload (JSON)<textarea name="payload" spellcheck={false}>
          {visible(JSON.stringify(payload.value, null, 2))}
        </textarea>
      </label>
      <button type="submit">Replace it</button>
    </form>
  );
}

/** Asks before a task is deleted. */
export function ConfirmRemove(
  { task, viewer }: { readonly task: Task; readonly viewer: Viewer },
): Html {
  return (
    <Confirm
      viewer={viewer}
      path="/tasks/remove"
      label="Delete it for good"
      fields={{ id: String(task.id) }}
      back={`/tasks/${task.id}`}
    >
      <p>
        Delete task <TaskLink id={task.id} viewer={viewer} />,{" "}
        <Text of={task.type} max={80} />, with its transitions and its log.{" "}
        {task.status === "queued" && "It has not run, and will not."}
      </p>
    </Confirm>
  );
}

/** The form that makes a new task of an old one. */
export function AgainForm({ task, viewer, isUnmasked }: EditedPayload): Html {
  const payload = mask(task.payload, isUnmasked ? NOTHING : viewer.maskedKeys);
  if (payload.isMasked) return <Masked task={task} viewer={viewer} page="again" />;
  return (
    <form method="post" action={`${viewer.prefix}/tasks/new`} class="stack">
      <p>
        Task <TaskLink id={task.id} viewer={viewer} />{" "}
        stays as it is: what is sent here becomes a new task.
      </p>
      <NewTaskFields
        type={task.type}
        payload={visible(JSON.stringify(payload.value, null, 2))}
        priority={task.priority}
      />
      <button type="submit">Enqueue</button>
    </form>
  );
}

/** The fields of a new task. */
export function NewTaskFields(
  { type, payload, priority }: {
    readonly type: string;
    readonly payload: string;
    readonly priority: number;
  },
): Html {
  return (
    <>
      <label>
        Type<input name="type" value={type} required maxlength={200} />
      </label>
      <label>
        Payload (JSON)<textarea name="payload" spellcheck={false}>{payload}</textarea>
      </label>
      <PriorityField priority={priority} />
      <label>
        Not before (empty: now), as 2026-01-31T12:00Z<input name="run_after" maxlength={40} />
      </label>
    </>
  );
}
