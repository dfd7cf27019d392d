/**
 * Closures: the record in a queue that closes it while its tasks go elsewhere, or come from there, so that never two queues
 * give out the same task.
 *
 * A closed queue answers everything that reads, and lets leased tasks be renewed and ended. What would add, give out or
 * change anything else is refused.
 */

/**
 * - `leaving`: its tasks are being moved to another queue. `handing_over`: they are all there, and that queue is about to open.
 * - `moved`: they are there for good.
 * - `filling`: it gets the tasks of another queue. `abandoned`: that was called off, so it has some of them, or none.
 */
export type QueueClosureState = "leaving" | "handing_over" | "moved" | "filling" | "abandoned";

/** Why a queue is closed. */
export interface QueueClosure {
  /** What goes on. */
  readonly state: QueueClosureState;
  /** Names the move, in both queues. */
  readonly moveId: string;
  /** The path or the address of the other queue, without a password. */
  readonly other: string;
  /** The other queue's `queueId`. */
  readonly otherId: string;
  /** Since when. */
  readonly since: Date;
  /** How far a filling has come, in the words of who fills it; empty in every other state. */
  readonly cursor: string;
}
