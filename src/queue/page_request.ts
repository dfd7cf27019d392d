/**
 * Requests for a part of a long list.
 */

/** Which part of a list that only grows at its end. */
export interface PartRequest {
  /** How many to pass over; a negative one counts from the end. Default 0. */
  readonly offset?: number;
  /** How many at most, 1–1000; default 1000. */
  readonly limit?: number;
}
