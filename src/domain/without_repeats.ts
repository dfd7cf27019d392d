/**
 * An error that happens again each second is reported once a minute.
 */
import { type Clock, systemClock } from "./clock.ts";

const QUIET_MS = 60_000;

/** So many messages are remembered. */
const REMEMBERED_MAX = 100;

/** `tell`, which passes over a message that it has told within the last minute. */
export function withoutRepeats(
  tell: (message: string) => void,
  clock: Clock = systemClock,
): (message: string) => void {
  const toldAtMs = new Map<string, number>();
  return (message) => {
    const nowMs = clock.nowMs();
    const agoMs = nowMs - (toldAtMs.get(message) ?? -Infinity);
    if (agoMs >= 0 && agoMs < QUIET_MS) return;
    if (toldAtMs.size >= REMEMBERED_MAX) toldAtMs.clear();
    toldAtMs.set(message, nowMs);
    tell(message);
  };
}
