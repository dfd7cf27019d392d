/**
 * Works that contenders do: callers that enqueue, batches, claims that complete, whole lives.
 */
import type { Contender } from "./contenders/contender.ts";
import type { Stopwatch } from "./measure.ts";
import type { Order, Performed } from "./orders.ts";
import { CONCURRENCY } from "./reach_work.ts";

/** What a work needs of a contender; a life needs its `work` too. */
type Performer =
  & Pick<Contender, "enqueue" | "enqueueBatch" | "claimAndComplete" | "perform">
  & { readonly work?: unknown };

/** Has a contender do this; the number of tasks. */
export async function perform(
  contender: Performer,
  watch: Stopwatch,
  order: Order,
): Promise<number> {
  if (contender.perform !== undefined) return await performThere(contender.perform, watch, order);
  switch (order.kind) {
    case "enqueue":
      return await callers(contender, watch, order);
    case "batches":
      return await batches(contender, watch, order);
    case "claim":
      return await claims(contender, watch, order);
    case "life":
      return await lives(contender as Contender, watch, order);
  }
}

async function performThere(
  there: (order: Order) => Promise<Performed>,
  watch: Stopwatch,
  order: Order,
): Promise<number> {
  let performed: Performed | undefined;
  await watch.total(async () => {
    performed = await there(order);
  });
  watch.take(performed!);
  return performed!.tasks;
}

type Of<Kind extends Order["kind"]> = Extract<Order, { readonly kind: Kind }>;

async function callers(
  contender: Pick<Contender, "enqueue">,
  watch: Stopwatch,
  { callers, each }: Of<"enqueue">,
): Promise<number> {
  const call = async (): Promise<void> => {
    for (let n = 0; n < each; n++) await watch.lap(() => contender.enqueue(n));
  };
  await watch.total(async () => {
    await Promise.all(Array.from({ length: callers }, call));
  });
  return callers * each;
}

async function batches(
  contender: Pick<Contender, "enqueueBatch">,
  watch: Stopwatch,
  { times, size }: Of<"batches">,
): Promise<number> {
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => contender.enqueueBatch(size));
  });
  return times * size;
}

async function claims(
  contender: Pick<Contender, "enqueueBatch" | "claimAndComplete">,
  watch: Stopwatch,
  { filled, limit, tasks }: Of<"claim">,
): Promise<number> {
  const claimAndComplete = contender.claimAndComplete!;
  if (filled > 0) await contender.enqueueBatch(filled);
  let done = 0;
  await watch.total(async () => {
    while (done < tasks) done += await watch.lap(() => claimAndComplete(limit));
  });
  return done;
}

async function lives(
  contender: Pick<Contender, "work">,
  watch: Stopwatch,
  { times, count }: Of<"life">,
): Promise<number> {
  const working = await contender.work!(count === 1 ? 1 : CONCURRENCY);
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => working.live(count));
  });
  await working.stop();
  return times * count;
}
