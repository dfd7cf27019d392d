/**
 * A worker process of a contender on a server: NAME URL SPACE CONCURRENCY WORK_MS. Says `ready` when it is connected, begins
 * when told `go`, and when told `stop` says how many tasks it ran.
 */
import { SERVER_ENTRANTS } from "../contenders/servers/entrants.ts";
import type { StopWorking } from "../contenders/servers/server_contender.ts";
import { RESULT } from "../contenders/contender.ts";
import { heard, say } from "./talk.ts";

async function main(): Promise<void> {
  const [name, url, space, concurrency, workMs] = Deno.args as [
    string,
    string,
    string,
    ...string[],
  ];
  const entrant = SERVER_ENTRANTS.find((each) => each.name === name)!;
  const contender = await entrant.enter(url, space);
  await contender.hasOpen();
  let ran = 0;
  const handler = (): Promise<unknown> => {
    const untilMs = performance.now() + Number(workMs);
    while (performance.now() < untilMs);
    ran++;
    return Promise.resolve(RESULT);
  };
  let stop: StopWorking = () => Promise.resolve();
  say("ready");
  for await (const line of heard()) {
    if (line === "go") stop = await contender.work(Number(concurrency), handler);
    else if (line === "stop") {
      await stop();
      say(ran);
    }
  }
  await contender.close();
}

if (import.meta.main) await main();
