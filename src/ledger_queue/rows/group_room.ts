/**
 * Room of groups: which closed groups may start tasks again.
 *
 * A group closes when its own limit, rate or pause lets none start. It opens in the transaction in which a slot of it comes free,
 * when its rate allows a start or its pause ends by itself, and when limits of groups have changed since: then it is tried again, and
 * closes again if it must.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { FlowKey } from "../../queue_policy/flow.ts";
import { nextRatesMs } from "./buckets.ts";
import { flowOf, nextSlotEndOf, roomOf } from "./flow_rows.ts";
import {
  closedRowsOf,
  closeGroup,
  type Closing,
  groupsToOpen,
  nextToOpenMs,
  openGroup,
} from "./groups.ts";
import { noteIn, setNote } from "./notes.ts";
import { NOTE_TABLE } from "./schema.ts";

/** How many closed groups one transaction opens at most. */
export const OPEN_MAX = 1000;

/** Under which name the number of the last change of limits of groups is noted. */
const CHANGE_NOTE = "group_limit_change";

/** The number of the last change of a limit or a pause of groups. */
export function groupLimitChange(reader: Reader): number {
  return reader.remember(NOTE_TABLE, readChange);
}

function readChange(reader: Reader): number {
  return Number(noteIn(reader, CHANGE_NOTE) ?? 0);
}

/** A limit or a pause of groups has changed: what is closed is tried again. */
export function noteGroupLimitChange(tx: Transaction): void {
  setNote(tx, CHANGE_NOTE, String(groupLimitChange(tx) + 1));
}

/** How a group closes now: it is tried again when its pause ends, or a cancelled task's lease, or its rate allows a start. */
export function closingOf(reader: Reader, key: FlowKey, nowMs: number): Closing {
  const flow = flowOf(reader);
  const pauseEndMs = flow.groupPauseOf(key, nowMs)?.paused_until ?? null;
  const ends = [
    ...[pauseEndMs, nextSlotEndOf(reader, key.grp, nowMs)].filter((at) => at !== null),
    ...nextRatesMs(reader, flow.groupRatesOf(key), nowMs),
  ];
  return {
    change: groupLimitChange(reader),
    opensAtMs: ends.length === 0 ? null : Math.min(...ends),
  };
}

/**
 * A slot of a group has come free: where it has room now, it opens. What its rate holds back opens when that allows a start, and what a
 * pause holds back when that ends, which by the clock of who closed it may have been over.
 */
export function slotEnded(tx: Transaction, grp: string, nowMs: number): void {
  if (grp === "") return;
  for (const group of closedRowsOf(tx, grp)) {
    if (roomOf(tx, nowMs).ofGroup(group) > 0) openGroup(tx, group);
    else if (mayOpenByTime(tx, group, nowMs)) {
      closeGroup(tx, group, closingOf(tx, group, nowMs));
    }
  }
}

function mayOpenByTime(reader: Reader, group: FlowKey, nowMs: number): boolean {
  const flow = flowOf(reader);
  return flow.groupRatesOf(group).length > 0 || flow.groupPauseOf(group, nowMs) != null;
}

/** When a closed group opens by itself, by a rate. */
export function nextGroupMs(reader: Reader, nowMs: number): number | null {
  const { hasRates, hasGroups } = flowOf(reader);
  return hasRates && hasGroups ? nextToOpenMs(reader, nowMs) : null;
}

/** Whether closed groups are to be tried again. */
export function hasGroupsToOpen(reader: Reader, nowMs: number): boolean {
  return groupsToOpen(reader, { change: groupLimitChange(reader), nowMs, max: 1 }).length > 0;
}

/** Opens closed groups that are to be tried again; whether there may be more. */
export function openGroups(tx: Transaction, nowMs: number): boolean {
  const change = groupLimitChange(tx);
  const groups = groupsToOpen(tx, { change, nowMs, max: OPEN_MAX });
  for (const group of groups) openGroup(tx, group);
  return groups.length === OPEN_MAX;
}
