/**
 * Faults: which storage call of a process fails, and after which one it dies.
 */
import type { Chance } from "./chance.ts";

/** What a process asks of its storage. */
export type Operation =
  | "open"
  | "lock"
  | "openFile"
  | "create"
  | "size"
  | "read"
  | "append to"
  | "truncate"
  | "sync"
  | "readFile"
  | "write"
  | "rename"
  | "syncFolder"
  | "remove"
  | "list"
  | "find";

/** The operations that a test may make fail; `any` stands for whichever comes. */
export type FaultyOperation = Exclude<Operation, "open" | "lock"> | "any";

/** A failure to come. */
export interface Fault {
  readonly operation: FaultyOperation;
  /** How many such calls still succeed. */
  readonly after: number;
  /** Whether every later one fails too. */
  readonly isLasting: boolean;
  readonly code: "EIO" | "ENOSPC";
  /** What becomes of the truncation that undoes an append which this fault has failed. */
  readonly undoing: "succeeds" | "fails" | "kills";
}

/** In which call a process will die. */
export interface Death {
  readonly operation: Operation | "any";
  /** How many such calls it survives. */
  readonly after: number;
}

/** The calls that change what is on the disk: dying there is what matters most. */
const CHANGES: readonly Operation[] = [
  "create",
  "append to",
  "append to",
  "truncate",
  "sync",
  "sync",
  "write",
  "rename",
  "syncFolder",
  "remove",
];

/** A death by chance. */
export function randomDeath(chance: Chance): Death {
  return chance.happens(0.5)
    ? { operation: "any", after: chance.below(chance.pick([5, 30, 150])) }
    : { operation: chance.pick(CHANGES), after: chance.below(chance.pick([1, 3, 10])) };
}

const OPERATIONS: readonly FaultyOperation[] = [
  "any",
  "any",
  "openFile",
  "create",
  "size",
  "read",
  "append to",
  "append to",
  "truncate",
  "sync",
  "sync",
  "readFile",
  "write",
  "rename",
  "syncFolder",
  "remove",
  "list",
];

/** What a full disk refuses. */
const NEEDS_SPACE: readonly string[] = ["create", "append to", "write", "rename"];

/** A fault by chance. */
export function randomFault(chance: Chance): Fault {
  const operation = chance.pick(OPERATIONS);
  const mayLackSpace = operation === "any" || NEEDS_SPACE.includes(operation);
  return {
    operation,
    after: chance.below(chance.pick([1, 1, 4, 20])),
    isLasting: chance.happens(0.3),
    code: mayLackSpace && chance.happens(0.4) ? "ENOSPC" : "EIO",
    undoing: chance.weighted({ succeeds: 5, fails: 4, kills: 1 }),
  };
}

/** An fsync or an append that fails, soon. */
export function randomDiskFault(chance: Chance): Fault {
  return {
    ...randomFault(chance),
    operation: chance.pick(["sync", "sync", "append to"]),
    after: chance.below(4),
    code: "EIO",
    isLasting: false,
  };
}

/** What one process's storage will meet. */
export class FaultPlan {
  #fault: Fault | undefined;
  #callsUntilFault = 0;
  /** Whether the next truncation fails, because it follows an append that failed. */
  #failsUndoing = false;
  #death: Death | undefined;

  /** The process will die in a call. */
  dieAt(death: Death): void {
    this.#death = death;
  }

  /** From now on this fault applies, and no other. */
  set(fault: Fault): void {
    this.#fault = fault;
    this.#callsUntilFault = fault.after;
    this.#failsUndoing = false;
  }

  /** Nothing fails any more. */
  clear(): void {
    this.#fault = undefined;
    this.#failsUndoing = false;
    this.#death = undefined;
  }

  /** Whether the process dies here. */
  isDeathAt(operation: Operation): boolean {
    const death = this.#death;
    if (death === undefined) return false;
    if (death.operation !== "any" && death.operation !== operation) return false;
    this.#death = { operation: death.operation, after: death.after - 1 };
    return death.after <= 0;
  }

  /** Why this call fails, if it does. */
  next(operation: Operation): string | undefined {
    if (operation === "truncate" && this.#failsUndoing) {
      this.#failsUndoing = false;
      return "injected EIO after another";
    }
    const fault = this.#fault;
    if (fault === undefined || !concerns(fault, operation)) return undefined;
    if (this.#callsUntilFault-- > 0) return undefined;
    if (!fault.isLasting) this.#fault = undefined;
    if (operation === "append to") this.#planUndoing(fault);
    return `injected ${fault.code}${fault.isLasting ? " from now on" : ""}`;
  }

  #planUndoing({ undoing }: Fault): void {
    if (undoing === "fails") this.#failsUndoing = true;
    if (undoing === "kills") this.#death = { operation: "truncate", after: 0 };
  }
}

function concerns(fault: Fault, operation: Operation): boolean {
  if (operation === "open" || operation === "lock") return false;
  if (fault.code === "ENOSPC" && !NEEDS_SPACE.includes(operation)) return false;
  return fault.operation === "any" || fault.operation === operation;
}
