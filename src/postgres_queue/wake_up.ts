/**
 * Wake-up: the processes of one queue tell each other which tasks they have changed.
 *
 * Each sends the ids and statuses with NOTIFY, a few milliseconds after a change and apart from the transaction that made it, since a
 * server commits transactions that notify one after the other. Each listens on a connection of its own, and reads the tasks
 * whose status its watchers want to hear of. A listener may be
 * deaf without an error (behind a pooler), and a sender may die before it sends, so the history is read now and then as well:
 * each second while nothing is heard, else every five.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import { TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { ChangeFeed } from "./change_feed.ts";
import type { TaskChange } from "../queue/task_queue.ts";
import type { ChangedRows, PostgresAccess } from "./postgres_access.ts";
import type { StopListening } from "./rows/database.ts";
import { changeOfRow, type ChangeRow, SELECT_CHANGES } from "./rows/task_row.ts";
import { HistoryReader } from "./rows/transition_log.ts";

/** How long changes are gathered until they are sent. */
const GATHER_MS = 10;

/** How many ids one message has at most; a payload has 8,000 bytes. */
const IDS_MAX = 350;

/** The message instead of ids when there are more. */
const MANY = "*";

/** The message that limits and pauses may let more start. */
const ROOM = "room";

/** How often the history is read when messages come, and when none do. */
const POLL_MS = { heard: 5000, deaf: 1000 } as const;

/** After how many looks without hearing its own message a process counts as deaf. */
const DEAF_POLLS = 10;

/** How a process hears of others. */
export type WakeUpMode = "listening" | "polling";

/** What the wake-up needs. */
export interface WakeUpTools {
  readonly access: PostgresAccess;
  readonly feed: ChangeFeed;
  readonly onError: (error: unknown) => void;
}

/** Where the processes of a queue tell each other. */
export function channelOf(schema: string): string {
  return `holdfast ${schema}`;
}

/** What a message of no process says: every one hears of these tasks. */
export function messageOfTasks(ids: readonly number[]): string {
  return `tx ${ids.length > IDS_MAX ? MANY : ids.join(",")}`;
}

/** A task in a message: its id, and the place of its status among all of them. */
function textOfChange([id, status]: readonly [number, TaskStatus]): string {
  return `${id}:${TASK_STATUSES.indexOf(status)}`;
}

/** Likewise, read; a message of no process says nothing of statuses. */
function changeOfText(text: string): [id: number, status: TaskStatus | undefined] {
  const [id, at] = text.split(":");
  return [Number(id), TASK_STATUSES[Number(at)]];
}

/** One process's ears and mouth. */
export class WakeUp {
  readonly #access: PostgresAccess;
  readonly #feed: ChangeFeed;
  readonly #onError: (error: unknown) => void;
  readonly #clock: Clock;
  readonly #me = crypto.randomUUID();
  readonly #history: HistoryReader;
  readonly #changed = new Map<number, TaskStatus>();
  #isManyChanged = false;
  #cancelSend: CancelTimer | undefined;
  #cancelPoll: CancelTimer = () => {};
  #stopListening: StopListening | undefined;
  #mode: WakeUpMode = "polling";
  #changes = 0;
  #pollsInVain = 0;
  #isStopped = false;

  constructor({ access, feed, onError }: WakeUpTools) {
    this.#access = access;
    this.#feed = feed;
    this.#onError = onError;
    this.#clock = access.clock;
    this.#history = new HistoryReader(access.statements);
  }

  /** How this process hears of changes by others. */
  get mode(): WakeUpMode {
    return this.#mode;
  }

  /** Whether it has heard nothing although there was time enough to. */
  get isDeaf(): boolean {
    return this.#mode === "polling" && this.#pollsInVain >= DEAF_POLLS;
  }

  /** Counts what was changed here, and what was heard of others. */
  get changes(): number {
    return this.#changes;
  }

  /** Begins to listen and to look. */
  async begin(): Promise<void> {
    await this.#history.skipToEnd();
    this.#pollSoon();
    this.#stopListening = await this.#access.database.listen(this.#channel, {
      onMessage: (text) => this.#hear(text),
      onConnected: () => this.#test(),
      onLost: () => this.#mode = "polling",
    });
  }

  /** Tells the watchers here at once, and other processes soon. */
  note(rows: ChangedRows): void {
    this.#changes++;
    if (rows === "many") this.#feed.tell("reset");
    else this.#tellChanges(rows.map(changeOfRow));
    if (rows === "many") this.#isManyChanged = true;
    else for (const { id, status } of rows) this.#changed.set(id, status);
    if (this.#isStopped) return;
    this.#cancelSend ??= this.#clock.setTimer(() => this.#send(), GATHER_MS);
  }

  /** Tells that limits and pauses may let more start: here at once, other processes too. */
  noteRoom(): void {
    this.#changes++;
    this.#feed.tell("room");
    this.#say(ROOM).catch((error) => {
      if (!this.#isStopped) this.#onError(error);
    });
  }

  /** Sends what is left, and stops. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelPoll();
    this.#cancelSend?.();
    if (this.#changed.size > 0 || this.#isManyChanged) await this.#notify();
    await this.#stopListening?.();
  }

  get #channel(): string {
    return channelOf(this.#access.schema);
  }

  // --- telling

  #send(): void {
    this.#cancelSend = undefined;
    this.#notify().catch((error) => {
      if (!this.#isStopped) this.#onError(error);
    });
  }

  async #notify(): Promise<void> {
    const changes = [...this.#changed];
    const isMany = this.#isManyChanged || changes.length > IDS_MAX;
    this.#changed.clear();
    this.#isManyChanged = false;
    await this.#say(isMany ? MANY : changes.map(textOfChange).join(","));
  }

  async #say(what: string): Promise<void> {
    const notify = "select pg_notify($1, $2)";
    await this.#access.statements.query(notify, [this.#channel, `${this.#me} ${what}`]);
  }

  // --- hearing

  /** Until its own message comes back, nothing is known to be heard. */
  #test(): void {
    this.#mode = "polling";
    this.#pollsInVain = 0;
    this.#feed.tell("reset");
    this.#say("").catch((error) => {
      if (!this.#isStopped) this.#onError(error);
    });
  }

  #hear(text: string): void {
    const [sender, what = ""] = text.split(" ");
    this.#mode = "listening";
    if (sender === this.#me || what === "") return;
    this.#changes++;
    if (what === MANY) return this.#feed.tell("reset");
    if (what === ROOM) return this.#feed.tell("room");
    const ids = what.split(",").map(changeOfText)
      .filter(([id, status]) => this.#isWanted(id, status)).map(([id]) => id);
    if (ids.length === 0) return;
    this.#tell(ids).catch((error) => {
      if (!this.#isStopped) this.#onError(error);
    });
  }

  #isWanted(id: number, status: TaskStatus | undefined): boolean {
    if (!this.#feed.isWatched) return false;
    return status === undefined || this.#mayMakeRoom(status) || this.#feed.wants(id, status);
  }

  /** Whether limits that are known here might count a task that has this status now. */
  #mayMakeRoom(status: TaskStatus): boolean {
    const flow = this.#access.flow.latest;
    return status !== "leased" && flow !== undefined && !flow.isEmpty;
  }

  async #tell(ids: readonly number[]): Promise<void> {
    const rows = await this.#access.statements.query(SELECT_CHANGES, [ids]);
    const changes = (rows as unknown as ChangeRow[]).map(changeOfRow);
    this.#tellChanges(changes.filter(({ taskId, status }) => this.#isWanted(taskId, status)));
  }

  /** Where the limits that are known here count a task, its end makes room. */
  #tellChanges(changes: readonly TaskChange[]): void {
    this.#feed.tell(changes);
    const mayHaveRoom = changes.some(({ status, type }) =>
      this.#mayMakeRoom(status) && this.#access.flow.latest!.isLimited(type)
    );
    if (mayHaveRoom) this.#feed.tell("room");
  }

  #pollSoon(): void {
    const delayMs = this.#mode === "listening" ? POLL_MS.heard : POLL_MS.deaf;
    this.#cancelPoll = this.#clock.setTimer(() => {
      this.#pollsInVain = this.#mode === "listening" ? 0 : this.#pollsInVain + 1;
      this.#poll().catch((error) => {
        if (!this.#isStopped) this.#onError(error);
      }).finally(() => {
        if (!this.#isStopped) this.#pollSoon();
      });
    }, delayMs);
  }

  /** Reads what the history says since the last look; without watchers it is passed over. */
  async #poll(): Promise<void> {
    if (!this.#feed.isWatched) return await this.#history.skipToEnd();
    const ids = await this.#history.next();
    if (ids === "many") this.#feed.tell("reset");
    else if (ids.length > 0) await this.#tell(ids);
  }
}
