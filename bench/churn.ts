/**
 * What a queue that churns grows by: so many tasks a second, finished by a worker and pruned by retention.
 *
 * `--minutes=N --rate=N` (default 10 and 100). A line a minute: resident memory, files and bytes on disk, tasks kept.
 */
import { HandlerRegistry, openEmbeddedQueue, Worker } from "../src/mod.ts";

const numberOf = (name: string, otherwise: number): number => {
  const given = Deno.args.find((arg) => arg.startsWith(`--${name}=`));
  return given === undefined ? otherwise : Number(given.slice(name.length + 3));
};
const minutes = numberOf("minutes", 10);
const rate = numberOf("rate", 100);

const folder = await Deno.makeTempDir();
const queue = await openEmbeddedQueue({ path: `${folder}/queue.db`, retention: [{ keep: 1000 }] });
const handlers = new HandlerRegistry().register("churn", () => ({ ok: true }));
const worker = new Worker({ queue, handlers, concurrency: 8, quiet: true });
worker.start();

let enqueued = 0;
const startedAtMs = Date.now();
const ticking = setInterval(() => {
  const wanted = Math.floor((Date.now() - startedAtMs) / 1000 * rate);
  const tasks = Array.from({ length: Math.min(1000, wanted - enqueued) }, (_, n) => ({
    type: "churn",
    payload: { to: `user${enqueued + n}@example.com` },
  }));
  enqueued += tasks.length;
  if (tasks.length > 0) void queue.enqueueBatch(tasks);
}, 100);

for (let minute = 1; minute <= minutes; minute++) {
  await new Promise((resume) => setTimeout(resume, 60_000));
  const files = [...Deno.readDirSync(folder)].map(({ name }) => Deno.statSync(`${folder}/${name}`));
  const kib = files.reduce((sum, { size }) => sum + size, 0) / 1024;
  const { total } = await queue.stats();
  const rss = Deno.memoryUsage().rss / 1024 / 1024;
  console.log(
    `${minute} min: ${enqueued} enqueued, ${total} kept, RSS ${
      rss.toFixed(0)
    } MiB, ${files.length} files, ${kib.toFixed(0)} KiB`,
  );
}
clearInterval(ticking);
await worker.stop();
await queue.close();
await Deno.remove(folder, { recursive: true });
