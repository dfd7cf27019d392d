/**
 * A simulation of its own: processes write, make checkpoints and die while somebody moves, replaces, copies back and
 * restores their folder, or removes files from it, at any moment. Each process that is in doubt opens the queue again.
 *
 * The rule: what was begun after the files were last replaced, and was acknowledged, is in the queue at the path in the end.
 * What leaves the records where they are (lock files, a copy of everything) loses nothing that was acknowledged before either.
 * Before anybody harms the files, and in every fifth history, which nobody does, nothing is refused.
 */
import { StorageError } from "../../src/domain/errors.ts";
import { foldFiles, type Folding } from "../../src/ledger/fold.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import type { SqlEngine } from "../../src/ledger/sql_engine.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import { chunksWithFooter } from "../../src/storage/snapshot.ts";
import type { FileName } from "../../src/storage/storage.ts";
import { addNote, NOTES, readNotes } from "../support/ledgers.ts";
import { Chance } from "./chance.ts";
import { Inode, SimulatedDisk } from "./disk.ts";
import { LockTable } from "./locks.ts";
import { allMicrotasks, Scheduler } from "./scheduler.ts";
import { SimulatedStorage } from "./simulated_storage.ts";

/** What somebody does to the files. */
const MISDEEDS = [
  "a new folder",
  "copied back",
  "restored",
  "journal removed",
  "snapshot and journal removed",
  "older journal copied over",
  "lock files removed",
  "snapshot removed",
] as const;

type Misdeed = typeof MISDEEDS[number];

/** Those after which everything acknowledged before is still there. */
const HARMLESS: readonly Misdeed[] = ["copied back", "lock files removed", "snapshot removed"];

/** Longer than it takes until a lost snapshot is noticed and made anew, in turns of the scheduler and milliseconds. */
const HEALING_TURNS = 4000;
const HEALING_STEP_MS = 50;

/** How a simulation ended. */
export interface MovedOutcome {
  readonly lost: readonly string[];
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** What a process was told. */
interface Note {
  readonly text: string;
  /** How many misdeeds there had been when it began. */
  readonly begunAfter: number;
}

/** Runs the history of a seed. */
export async function simulateMoves(seed: number, engine: SqlEngine): Promise<MovedOutcome> {
  return await new MovedFolder(seed, engine).run();
}

class MovedFolder {
  readonly #isPeaceful: boolean;
  readonly #engine: SqlEngine;
  readonly #chance: Chance;
  readonly #scheduler = new Scheduler();
  readonly #disk = new SimulatedDisk();
  readonly #violations: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #live = new Map<number, SimulatedStorage>();
  #locks: LockTable;
  #acknowledged: Note[] = [];
  #misdeeds = 0;
  /** How many misdeeds there were up to the last that took records away. */
  #harmedAfter = 0;
  #processes = 0;
  #texts = 0;
  #isEnding = false;
  #olderJournal: { readonly name: FileName; readonly bytes: Uint8Array } | undefined;

  constructor(seed: number, engine: SqlEngine) {
    this.#isPeaceful = seed % 5 === 0;
    this.#engine = engine;
    this.#chance = new Chance(seed);
    this.#locks = this.#newLocks();
  }

  async run(): Promise<MovedOutcome> {
    for (let steps = 40 + this.#chance.below(80); steps > 0; steps--) {
      await this.#step();
      this.#rememberJournal();
    }
    this.#isEnding = true;
    await this.#rest(20_000);
    for (const storage of this.#live.values()) storage.kill();
    const kept = new Set(await this.#whatIsThere());
    const lost = this.#acknowledged.filter(({ text }) => !kept.has(text)).map(({ text }) => text);
    this.#count("acknowledged", this.#acknowledged.length);
    return { lost, violations: this.#violations, counts: this.#counts };
  }

  async #step(): Promise<void> {
    const kind = this.#chance.weighted({
      "go on": 30,
      "start": 4,
      "pass": 6,
      "kill": 1,
      "harm": 3,
    });
    if (kind === "go on") await this.#rest(1 + this.#chance.below(60));
    else if (kind === "pass") this.#scheduler.pass(this.#chance.pick([1, 10, 300, 1500]));
    else if (kind === "start" && this.#live.size < 3) this.#runProcess(++this.#processes);
    else if (kind === "kill") this.#kill();
    else if (kind === "harm" && !this.#isPeaceful) await this.#harm(this.#chance.pick(MISDEEDS));
  }

  /** Lets whoever can go on, up to so many turns. */
  async #rest(turns: number): Promise<void> {
    await allMicrotasks();
    for (let turn = 0; turn < turns; turn++) {
      if (await this.#scheduler.step(this.#chance)) continue;
      if (!this.#isEnding || this.#live.size === 0) return;
      this.#scheduler.pass(10);
    }
  }

  // --- processes

  /** Opens the queue and writes, again and again, until it dies or all end. */
  async #runProcess(id: number): Promise<void> {
    while (!this.#isEnding) {
      const storage = this.#newStorage(id);
      this.#live.set(id, storage);
      await this.#refusable(() => this.#use(id, storage));
      await this.#scheduler.turn(id);
    }
    this.#live.delete(id);
  }

  async #use(id: number, storage: SimulatedStorage): Promise<void> {
    const ledger = await this.#open(id, storage);
    this.#count("opened");
    await this.#refusable(async () => {
      while (!this.#isEnding && !this.#chance.happens(0.02)) await this.#work(ledger);
    });
    await ledger.close();
  }

  async #work(ledger: Ledger): Promise<void> {
    const note = { text: `note ${++this.#texts}`, begunAfter: this.#misdeeds };
    await addNote(ledger, note.text);
    if (note.begunAfter >= this.#harmedAfter) this.#acknowledged.push(note);
    if (!this.#chance.happens(0.1)) return;
    await ledger.checkpoint();
    this.#count("checkpoints");
  }

  /** Once somebody has harmed the files a refusal by the storage is what is hoped for. */
  async #refusable(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const isHopedFor = error instanceof StorageError && this.#misdeeds > 0;
      if (!isHopedFor) this.#violations.push(String(error));
      else this.#count(error.operation === "find" ? "displacement noticed" : "other refusals");
    }
  }

  #kill(): void {
    const [id, storage] = this.#chance.pick([...this.#live, undefined]) ?? [];
    storage?.kill();
    if (id !== undefined) this.#live.delete(id);
  }

  #open(id: number, storage: SimulatedStorage): Promise<Ledger> {
    const newQueueId = (): string => this.#newQueueId();
    const source = { storage, engine: this.#engine, schema: NOTES, newQueueId };
    const folding: Folding = { minBytes: 0, fold: (upTo) => foldFiles(source, upTo) };
    return Ledger.open({
      ...source,
      folding: id % 2 === 0 ? undefined : folding,
      clock: {
        nowMs: () => this.#scheduler.nowMs,
        setTimer: (fire, delayMs) => this.#scheduler.setTimer(id, fire, delayMs),
      },
      onBackgroundError: (error) => {
        const isHopedFor = error instanceof StorageError && this.#misdeeds > 0;
        if (!isHopedFor) this.#violations.push(`background: ${error}`);
      },
    });
  }

  #newStorage(owner: number): SimulatedStorage {
    return new SimulatedStorage({
      owner,
      disk: this.#disk,
      locks: this.#locks,
      locksNow: () => this.#locks,
      scheduler: this.#scheduler,
      chance: new Chance(this.#chance.seed()),
      shortReadProbability: 0,
      syncTurnsMax: 4,
      forgetsFailedSyncs: false,
      evictsForgotten: false,
      prefersRoom: owner % 2 === 0,
      pretendsToSync: false,
      onDeath: () => this.#scheduler.drop(owner),
      onMisuse: (what) => this.#violations.push(what),
      onHalfDone: () => {},
      onEdit: () => {},
      onSync: () => () => {},
      onSnapshot: () => {},
      onCount: (what) => this.#count(what),
    });
  }

  // --- misdeeds

  async #harm(misdeed: Misdeed): Promise<void> {
    if (misdeed === "snapshot removed" && !await this.#isHealable()) return;
    this.#misdeeds++;
    this.#count(`misdeed: ${misdeed}`);
    if (!HARMLESS.includes(misdeed)) {
      this.#harmedAfter = this.#misdeeds;
      this.#acknowledged = [];
    }
    await this.#commit(misdeed);
  }

  async #commit(misdeed: Misdeed): Promise<void> {
    const files = new Map(this.#disk.list().map((name) => [name, this.#disk.find(name)!]));
    switch (misdeed) {
      case "a new folder":
        return this.#replaceAll(new Map());
      case "copied back":
        return this.#replaceAll(new Map([...files].map(([name, inode]) => [name, inode.copy()])));
      case "restored":
        return this.#disk.replaceFolder(new Map([["snapshot", await this.#backup()]]));
      case "journal removed":
        return this.#disk.replaceFolder(new Map([...files].filter(([name]) => !isJournal(name))));
      case "snapshot and journal removed":
        return this.#disk.replaceFolder(new Map());
      case "older journal copied over":
        return this.#copyOver();
      case "lock files removed":
        this.#locks = this.#newLocks();
        return;
      case "snapshot removed":
        files.delete("snapshot");
        this.#disk.replaceFolder(files);
        return await this.#heal();
    }
  }

  /** With its lock files. */
  #replaceAll(files: ReadonlyMap<FileName, Inode>): void {
    this.#disk.replaceFolder(files);
    this.#locks = this.#newLocks();
  }

  /** Changes the bytes of the newest segment to those that it had once; what others build upon is not harmed. */
  #copyOver(): void {
    const older = this.#olderJournal;
    if (older === undefined || older.name !== this.#disk.newestSegment()) return;
    const inode = this.#disk.find(older.name)!;
    inode.edit({ kind: "truncate", size: 0 });
    inode.edit({ kind: "write", offset: 0, bytes: older.bytes });
    this.#count("journals copied over");
  }

  /** What the newest segment holds, once it has a few records; until there is a newer one. */
  #rememberJournal(): void {
    const name = this.#disk.newestSegment();
    if (name === undefined || name === this.#olderJournal?.name) return;
    const bytes = this.#disk.find(name)!.now.bytes().slice();
    if (bytes.length > SEGMENT_HEADER_BYTES) this.#olderJournal = { name, bytes };
  }

  /** The snapshot of another queue, as restoring makes it. */
  async #backup(): Promise<Inode> {
    const ledger = await Ledger.open({
      storage: new MemoryStorage(),
      engine: this.#engine,
      schema: NOTES,
      newQueueId: () => this.#newQueueId(),
      clock: { nowMs: () => 0, setTimer: () => () => {} },
      onBackgroundError: (error) => this.#violations.push(`backup: ${error}`),
    });
    await addNote(ledger, "restored");
    const image = await ledger.exportDurable();
    await ledger.close();
    const inode = new Inode();
    for (const bytes of chunksWithFooter(image)) {
      inode.edit({ kind: "write", offset: inode.now.size, bytes: bytes.slice() });
    }
    return inode.copy();
  }

  /** Somebody has the queue open and is well, so that the snapshot can be made anew. */
  async #isHealable(): Promise<boolean> {
    const before = this.#counts["opened"] ?? 0;
    const acknowledged = this.#acknowledged.length;
    await this.#rest(200);
    return this.#counts["opened"] === before && this.#acknowledged.length > acknowledged;
  }

  async #heal(): Promise<void> {
    for (let turn = 0; turn < HEALING_TURNS / 50; turn++) {
      if (this.#disk.find("snapshot") !== undefined) return this.#count("snapshots made anew");
      this.#scheduler.pass(HEALING_STEP_MS);
      await this.#rest(50);
    }
  }

  // --- the end

  async #whatIsThere(): Promise<string[]> {
    const id = ++this.#processes;
    const notes = this.#open(id, this.#newStorage(id)).then(readNotes).catch((error) => {
      this.#violations.push(`the queue does not open in the end: ${error}`);
      return [] as string[];
    });
    let found: string[] | undefined;
    notes.then((all) => found = all);
    await allMicrotasks();
    while (found === undefined && await this.#scheduler.step(this.#chance));
    return found ?? [];
  }

  #newQueueId(): string {
    return this.#chance.seed().toString(16).padStart(32, "0");
  }

  #newLocks(): LockTable {
    return new LockTable(this.#scheduler, {
      chance: new Chance(this.#chance.seed()),
      areIgnored: false,
    });
  }

  #count(what: string, by = 1): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + by;
  }
}

function isJournal(name: FileName): boolean {
  return name.startsWith("journal-");
}
