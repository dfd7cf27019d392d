/**
 * What the logs of all tasks together may take, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { LOGS_LIMITS } from "../queue/queue_settings.ts";

/** In bytes; the default when nothing is said. @throws TypeError, RangeError */
export function checkLogsRoom(logsMaxBytes: number | undefined): number {
  const { logsMaxBytesMin, logsMaxBytesMax, logsMaxBytesDefault } = LOGS_LIMITS;
  const bytes = logsMaxBytes ?? logsMaxBytesDefault;
  return checkInteger(bytes, "logsMaxBytes", logsMaxBytesMin, logsMaxBytesMax);
}
