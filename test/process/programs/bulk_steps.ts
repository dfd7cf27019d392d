/**
 * Cancels all tasks of a type, one transaction at each word `1`, `2`, …: `bulk_steps.ts QUEUE`. Ends when its input does.
 */
import { openQueue } from "../../../src/mod.ts";
import { Instructions, report } from "./program.ts";

const [path] = Deno.args;
const instructions = new Instructions();
instructions.exitAtEnd();
const queue = await openQueue(path!);
let cursor: string | undefined;
for (let step = 1;; step++) {
  await instructions.heard(String(step));
  const request = { action: "cancel", filter: { type: "email" }, budgetMs: 0, cursor } as const;
  const { doneUpToId, cursor: next } = await queue.bulk(request);
  report({ kind: "seen", tasks: doneUpToId });
  if (next === null) break;
  cursor = next;
}
await instructions.end;
await queue.close();
