/**
 * Has one contender do one work while strace looks on, with a folder made right before and right after. Says how many tasks
 * that were.
 */
import { join } from "node:path";
import { doOnce } from "../parts/throughput.ts";
import { MARKS } from "../traced_syncs.ts";
import { say } from "./talk.ts";

async function main(): Promise<void> {
  const request = JSON.parse(Deno.args[0]!);
  let marked = 0;
  const tasks = await doOnce(request, async () => {
    await Deno.mkdir(join(request.folder, MARKS[marked++]!));
    return null;
  });
  say(tasks);
}

if (import.meta.main) await main();
