// deno-lint-ignore-file explicit-function-return-type -- Node runs it as it is, so it has no types
/**
 * plainjob in Node: FOLDER PATH. FOLDER is where `npm install plainjob better-sqlite3` was done. Says `ready`; each line that it
 * is told is an order, and it says how long that took.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, path] = process.argv.slice(2);
const { resolve } = createRequire(join(folder, "here.js"));
const load = async (name) => await import(pathToFileURL(resolve(name)));
const { default: Database } = await load("better-sqlite3");
const { better, defineQueue } = await load("plainjob");

const TYPE = "bench";
const QUIET = { error: console.error, warn: console.error, info() {}, debug() {} };

const database = new Database(path);
const queue = defineQueue({ connection: better(database), logger: QUIET });
database.pragma("synchronous = FULL"); // its own is NORMAL

const payloadOf = (n) => ({ to: "somebody@example.org", n });
const payloads = (count) => Array.from({ length: count }, (_, n) => payloadOf(n));

/** Each is given a `lap`, and does what its namesake in `works.ts` does. */
const WORKS = {
  async enqueue({ callers, each }, lap) {
    const call = async () => {
      for (let n = 0; n < each; n++) await lap(() => queue.add(TYPE, payloadOf(n)));
    };
    await Promise.all(Array.from({ length: callers }, call));
    return callers * each;
  },
  async batches({ times, size }, lap) {
    for (let n = 0; n < times; n++) await lap(() => queue.addMany(TYPE, payloads(size)));
    return times * size;
  },
  async claim({ limit, tasks }, lap) {
    let done = 0;
    while (done < tasks) done += await lap(() => claimAndComplete(limit));
    return done;
  },
};

/** It claims one task at a time. */
function claimAndComplete(limit) {
  const jobs = [];
  while (jobs.length < limit) {
    const claimed = queue.getAndMarkJobAsProcessing(TYPE);
    if (claimed === undefined) break;
    jobs.push(queue.getJobById(claimed.id));
  }
  for (const { id } of jobs) queue.markJobAsDone(id);
  return jobs.length;
}

async function perform(order) {
  if (order.filled > 0) queue.addMany(TYPE, payloads(order.filled));
  const laps = [];
  const lap = async (call) => {
    const startedAt = performance.now();
    const result = await call();
    laps.push(performance.now() - startedAt);
    return result;
  };
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const tasks = await WORKS[order.kind](order, lap);
  const totalMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { tasks, totalMs, laps, cpuMs: (user + system) / 1000 };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  say(await perform(JSON.parse(line)));
}
queue.close();
