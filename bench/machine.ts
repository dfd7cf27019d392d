/**
 * The machine that figures are of: without it they mean nothing.
 */
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { number } from "./figures.ts";
import { percentiles } from "./figures.ts";

/** What was found, in words. */
export type Machine = Readonly<Record<string, string>>;

const SYNCS = 200;
const RECORD = new Uint8Array(362);

/** Describes this machine; measures its fsync in `folder`. */
export async function describeMachine(folder: string): Promise<Machine> {
  const { deno, v8 } = Deno.version;
  const [model] = cpus();
  return {
    when: new Date().toISOString(),
    system: `${Deno.build.os} ${Deno.osRelease()}, ${Deno.build.arch}`,
    processor: `${cpus().length} × ${model?.model.trim() || "unknown"}`,
    memory: `${number(totalmem() / 2 ** 30)} GiB`,
    runtime: `Deno ${deno}, V8 ${v8}`,
    "load average at the start": describeLoad(),
    "append of 362 bytes + fsync": await describeSync(folder),
  };
}

/** How busy the machine was in the last one, five and fifteen minutes. */
export function describeLoad(): string {
  return loadavg().map((load) => load.toFixed(2)).join(", ");
}

async function describeSync(folder: string): Promise<string> {
  using file = await Deno.open(join(folder, "sync"), { write: true, create: true });
  const durations: number[] = [];
  for (let n = 0; n < SYNCS; n++) {
    const startedAt = performance.now();
    file.writeSync(RECORD);
    file.syncDataSync();
    durations.push(performance.now() - startedAt);
  }
  const { p50, p95 } = percentiles(durations);
  return `p50 ${number(p50)} ms, p95 ${number(p95)} ms`;
}
