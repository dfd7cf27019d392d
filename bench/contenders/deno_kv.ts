/**
 * Deno KV's queue in a local file: `enqueue` and `listenQueue`. It needs `--unstable-kv`, and no network.
 *
 * Where its work differs: a message has neither priority nor claim nor result, and is deleted once its listener has
 * returned. It delivers as many messages at once as it likes.
 */
import { type Contender, Countdown, payloadOf, RESULT } from "./contender.ts";

/** Its name. */
export const KV_NAME = "Deno KV queue";

/** Deno KV at `path`. */
export async function denoKv(path: string): Promise<Contender> {
  const kv = await Deno.openKv(path);
  const countdown = new Countdown();
  let listening: Promise<void> | undefined;
  const enqueueBatch = async (count: number): Promise<void> => {
    let atomic = kv.atomic();
    for (let n = 0; n < count; n++) atomic = atomic.enqueue(payloadOf(n));
    const { ok } = await atomic.commit();
    if (!ok) throw new Error("Deno KV refused a batch");
  };
  return {
    name: KV_NAME,
    survives: "power cut",
    enqueue: async (n) => {
      await kv.enqueue(payloadOf(n));
    },
    enqueueBatch,
    work: () => {
      listening ??= kv.listenQueue(async () => {
        await Promise.resolve(RESULT);
        countdown.arrive();
      });
      return Promise.resolve({
        live: async (count) => {
          const done = countdown.expect(count);
          await enqueueBatch(count);
          await done;
        },
        stop: () => Promise.resolve(),
      });
    },
    syncs: () => Promise.resolve(null),
    close: async () => {
      kv.close();
      await listening;
    },
  };
}
