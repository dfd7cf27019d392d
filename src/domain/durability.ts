/**
 * Durability: what an acknowledged change survives.
 */

/** When an acknowledged write survives a power cut: at once, or within `relaxedSyncMs` (a killed process loses nothing either way). */
export type Durability = "full" | "relaxed";

/** Every durability. */
export const DURABILITIES: readonly Durability[] = ["full", "relaxed"];
