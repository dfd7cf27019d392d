/**
 * Calling a move off: the source opens again, unless the target has opened.
 *
 * While the source is `leaving`, opening it is enough: the target opens only after the source was changed to `handing_over`. Once
 * it was, the target is made to stay closed first.
 */
import { quotePath } from "../domain/errors.ts";
import type { QueueClosure } from "../queue/closure.ts";
import { MoveRefusedError, type MoveSide } from "./move_report.ts";
import { refused } from "./move_tasks.ts";

/**
 * Calls the move off. Without `to`, which cannot be reached, only as long as that one cannot have opened.
 *
 * @returns Whether the target is closed for good.
 * @throws MoveRefusedError when there is no move to call off, or it is done.
 */
export async function cancelMove(
  from: MoveSide,
  to: MoveSide | { readonly place: string; readonly reason: string },
): Promise<boolean> {
  const { closure } = await from.end.notes();
  if (closure === null) return await cancelRest(from, to);
  if (closure.state === "moved") {
    throw new MoveRefusedError(
      `Cannot call the move of ${quotePath(from.place)} off: its tasks were moved to ${
        quotePath(closure.other)
      }`,
    );
  }
  if (closure.state === "filling" || closure.state === "abandoned") {
    throw new MoveRefusedError(
      `Cannot call the move of ${quotePath(from.place)} off: it is being filled; name ${
        quotePath(closure.other)
      } by --from`,
    );
  }
  if (closure.state === "leaving") {
    await open(from, closure);
    return await abandon(from, to, closure);
  }
  if (!await abandon(from, to, closure)) throw maybeDone(from, closure, to);
  await open(from, closure);
  return true;
}

/** An earlier run may have opened the source, and been killed before it closed the target for good. */
async function cancelRest(
  from: MoveSide,
  to: Parameters<typeof cancelMove>[1],
): Promise<boolean> {
  const known = "end" in to ? (await to.end.notes()).closure : null;
  const isItsTarget = known !== null && known.otherId === from.id &&
    (known.state === "filling" || known.state === "abandoned");
  if (!isItsTarget) {
    throw new MoveRefusedError(
      `Cannot call the move of ${quotePath(from.place)} off: there is none`,
    );
  }
  return known.state === "abandoned" || await abandon(from, to, known);
}

async function open(from: MoveSide, expected: QueueClosure): Promise<void> {
  if (await from.end.setClosure({ expected, next: null })) return;
  throw new MoveRefusedError(
    `Cannot call the move of ${
      quotePath(from.place)
    } off: another command is at it; repeat this one`,
  );
}

/** Whether the target stays closed, whatever comes. */
async function abandon(
  from: MoveSide,
  to: Parameters<typeof cancelMove>[1],
  { moveId }: QueueClosure,
): Promise<boolean> {
  if (!("end" in to)) return false;
  const { closure, received } = await to.end.notes();
  if (received === moveId) {
    throw refused(from, to, "it is done, and cannot be called off: repeat it without --cancel");
  }
  if (closure?.moveId !== moveId) return false;
  const next: QueueClosure = { ...closure, state: "abandoned", since: new Date(), cursor: "" };
  return await to.end.setClosure({ expected: { state: "filling", moveId }, next });
}

function maybeDone(
  from: MoveSide,
  { other }: QueueClosure,
  to: Parameters<typeof cancelMove>[1],
): MoveRefusedError {
  const why = "reason" in to ? `: ${to.reason}` : "";
  return new MoveRefusedError(
    `Cannot call the move of ${quotePath(from.place)} off: ${
      quotePath(other)
    } may be open already, and has to be asked${why}`,
  );
}
