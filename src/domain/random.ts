/**
 * Randomness, passed in: a seed replays a run.
 */

/** Draws a number uniformly from [0, 1). */
export type Random = () => number;
