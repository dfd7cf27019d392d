/**
 * What a worker did: one line per finished task while it runs, the counts at its end.
 */
import { type Task, withoutRepeats, type WorkerEvent } from "../src/mod.ts";
import { type Session, writeNote } from "./app.ts";
import { printable } from "./task_text.ts";

/** Events that are counted. */
const COUNTED = ["completed", "failed", "retried", "released", "lost", "cancelled"] as const;

type Counted = typeof COUNTED[number];

/** The counts as JSON. */
export interface WorkerSummary extends Readonly<Record<Counted, number>> {
  readonly worker_id: string;
  readonly seconds: number;
}

/** Reports on standard error; quiet with `--json`. */
export class WorkerReport {
  readonly #session: Session;
  /** Reports errors that are not a task's. */
  readonly #tell: (text: string) => void;
  readonly #counts: Record<Counted, number> = {
    completed: 0,
    failed: 0,
    retried: 0,
    released: 0,
    lost: 0,
    cancelled: 0,
  };
  readonly #startedAtMs = performance.now();

  constructor(session: Session) {
    this.#session = session;
    this.#tell = withoutRepeats((text) => writeNote(session, text));
  }

  /** Takes note of an event; give this to the worker. */
  readonly onEvent = (event: WorkerEvent): void => {
    if (isCounted(event.kind)) this.#counts[event.kind]++;
    if (event.kind === "error" && event.task === undefined) return this.#tell(eventText(event));
    if (event.kind === "error" || (event.kind !== "started" && !this.#session.json)) {
      writeNote(this.#session, eventText(event));
    }
  };

  /** The counts as JSON. */
  summary(workerId: string): WorkerSummary {
    const seconds = Math.round(performance.now() - this.#startedAtMs) / 1000;
    return { worker_id: workerId, ...this.#counts, seconds };
  }

  /** The counts for people. */
  summaryText(workerId: string): string {
    const counts = COUNTED.filter((kind) => kind === "completed" || this.#counts[kind] > 0)
      .map((kind) => `${this.#counts[kind]} ${kind}`);
    return `worker ${workerId} has stopped: ${counts.join(", ")}`;
  }
}

function isCounted(kind: WorkerEvent["kind"]): kind is Counted {
  return (COUNTED as readonly string[]).includes(kind);
}

/** An event for people. */
export function eventText(event: WorkerEvent): string {
  const text = event.task === undefined ? event.kind : `${event.kind} ${taskText(event.task)}`;
  return event.message === undefined ? text : `${text}: ${printable(event.message)}`;
}

function taskText(task: Task): string {
  return `task ${task.id} ${task.type} (attempt ${task.attempts})`;
}
