/**
 * What every TaskQueue must find by a text.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PermanentError } from "../../src/domain/errors.ts";
import type { SearchPage, SearchRequest } from "../../src/queue/search.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** Registers the suite for one implementation. */
export function searchContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("search finds what a text names first, each task once", async (queue) => {
    const word = "acme-1";
    await queue.enqueue({ type: "t", payload: { of: word } }); // 1: by its text
    await queue.enqueue({ type: "t", group: word, payload: { of: word } }); // 2: by its group
    await queue.enqueue({ type: "t", runId: `${word}-b`, group: word }); // 3: by its run id
    await queue.enqueue({ type: "t", runId: word }); // 4: by its run id
    await queue.enqueue({ type: "t", idempotencyKey: word, runId: `${word}-c` }); // 5: by its key
    await queue.enqueue({ type: "t", group: word }); // 6: by its group
    await queue.enqueue({ type: "t", payload: { of: "ACME-12" } }); // 7: by its text
    await queue.enqueue({ type: "t", group: "acme-10", payload: {} }); // 8: not at all
    await queue.enqueue({ type: "t", tags: ["x", word], payload: { of: word } }); // 9: by its tag
    await queue.enqueue({ type: "t", tags: [word], group: word }); // 10: by its group
    const page = await queue.search({ text: word });
    assertEquals(idsOf([page]), [5, 4, 3, 10, 6, 2, 9, 7, 1]);
    assertEquals([page.searched, page.leftMax, page.cursor], [10, 0, null]);
    for (const limit of [1, 2, 3]) {
      const pages = await allPages(queue, { text: word, limit });
      assertEquals(idsOf(pages), [5, 4, 3, 10, 6, 2, 9, 7, 1], `by ${limit}`);
      assert(pages.every(({ tasks }) => tasks.length <= limit), `at most ${limit}`);
    }
    assertEquals(idsOf([await queue.search({ text: "#3" })]), [3]);
    assertEquals(idsOf([await queue.search({ text: " 8 " })]).at(0), 8);
    assertEquals(
      idsOf([await queue.search({ text: "acm" })]),
      [9, 7, 2, 1],
      "too short for a run id",
    );
  });

  behaviour("search looks into payloads, errors, types and workers", async (queue) => {
    await queue.enqueueBatch([
      { type: "Greet", payload: { say: 'a "Big" WORLD\nÄrger' } },
      { type: "send", payload: { say: "nothing" } },
      { type: "send", payload: { say: "100%_\\" } },
    ]);
    const [held] = await queue.claim({ workerId: "Worker-9", types: ["send"] });
    await queue.fail(held!, new PermanentError("Cannot reach Host-Z"));
    await queue.claim({ workerId: "other-Worker-8", types: ["Greet"] });
    const found = async (text: string): Promise<number[]> => idsOf([await queue.search({ text })]);
    assertEquals(await found("big"), [1]);
    assertEquals(await found('"BIG" world'), [1], "as it is said");
    assertEquals(await found('\\"big\\" world\\nÄrger'), [1], "as JSON has it");
    assertEquals(await found('"say":"NOTHING"'), [2]);
    assertEquals(await found("ärger"), [], "only letters from A to Z have two forms");
    assertEquals(await found("greeT"), [1]);
    assertEquals(await found("host-z"), [2]);
    assertEquals(await found("worker-8"), [1]);
    assertEquals(await found("0%_"), [3], "nothing stands for anything else");
    assertEquals(await found("_"), [3]);
    assertEquals(await found("\\"), [3, 1]);
  });

  behaviour("search keeps to a filter", async (queue, clock) => {
    const word = "word";
    await queue.enqueueBatch([
      { type: "a", group: "g", payload: word },
      { type: "b", group: "g", payload: word },
      { type: "a", group: word },
      { type: "a", runId: "word-7" },
      { type: "b", payload: word },
      { type: "a", payload: "else", tags: ["red"] },
    ]);
    await clock.advance(1000);
    const createdBefore = new Date(clock.nowMs());
    await clock.advance(1000);
    await queue.enqueue({ type: "a", payload: word, tags: ["red"] });
    await queue.cancel(1);
    const found = async (filter: SearchRequest["filter"]): Promise<number[]> => {
      const whole = await allPages(queue, { text: word, filter });
      assertEquals(idsOf(await allPages(queue, { text: word, filter, limit: 1 })), idsOf(whole));
      return idsOf(whole);
    };
    assertEquals(await found({}), [4, 3, 7, 5, 2, 1]);
    assertEquals(await found({ type: "a" }), [4, 3, 7, 1]);
    assertEquals(await found({ status: "queued" }), [4, 3, 7, 5, 2]);
    assertEquals(await found({ status: "cancelled" }), [1]);
    assertEquals(await found({ status: "queued", type: "b" }), [5, 2]);
    assertEquals(await found({ group: "g" }), [2, 1]);
    assertEquals(await found({ group: "g", status: "queued" }), [2]);
    assertEquals(await found({ type: "a", createdBefore }), [4, 3, 1]);
    assertEquals(await found({ type: "none" }), []);
    assertEquals(await found({ tag: "red" }), [7]);
    assertEquals(await found({ tag: "red", status: "cancelled" }), []);
  });

  behaviour("search goes on by its cursor, slice by slice", async (queue) => {
    const payloads = Array.from({ length: 2500 }, (_, n) => n % 500 === 7 ? "needle" : "straw");
    await queue.enqueueBatch(payloads.map((payload) => ({ type: "t", payload })));
    const pages = await allPages(queue, { text: "needle", budgetMs: 0 }, async (page) => {
      const [{ searched, leftMax, cursor }] = [page];
      if (cursor !== null) assertEquals(searched + leftMax, 2500);
      await queue.enqueue({ type: "late", idempotencyKey: "needle-late", payload: "needle" });
    });
    assert(pages.length > 2, `${pages.length} slices`);
    assertEquals(idsOf(pages), [2008, 1508, 1008, 508, 8], "and nothing that came later");
    assertEquals(pages.at(-1)!.searched, 2500);
    const ranks = pages.map(({ searched }) => searched);
    assertEquals(ranks, ranks.toSorted((a, b) => a - b));
  });

  behaviour("search of a queue without tasks, and of one that lost some", async (queue) => {
    const none = { tasks: [], searched: 0, leftMax: 0, cursor: null };
    assertEquals(await queue.search({ text: "x", budgetMs: 0 }), none);
    await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t", payload: "x" })));
    await queue.remove(1);
    await queue.remove(4);
    const first = await queue.search({ text: '"x"', limit: 1 });
    assertEquals([idsOf([first]), first.searched, first.leftMax], [[5], 1, 3]);
    assertEquals(idsOf([await queue.search({ text: '"x"', cursor: first.cursor! })]), [3, 2]);
  });

  behaviour("search refuses what is no search", async (queue) => {
    const wrong: unknown[] = [
      {},
      { text: "" },
      { text: " " },
      { text: 7 },
      { text: "x".repeat(201) },
      { text: "a\u0000b" },
      { text: "x", limit: 0 },
      { text: "x", limit: 501 },
      { text: "x", budgetMs: -1 },
      { text: "x", budgetMs: 10_001 },
      { text: "x", cursor: "7" },
      { text: "x", cursor: "text-1-x" },
      { text: "x", cursor: "text-1-12345678901234567" },
      { text: "x", filter: { status: "lost" } },
      { text: "x", filter: { createdBefore: "yesterday" } },
      { text: "x", filter: { id: 7 } },
      { text: "x", of: "t" },
    ];
    for (const request of wrong) {
      const error = await assertRejects(
        () => queue.search(request as SearchRequest),
        Error,
        "Cannot ",
      );
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
    }
  });
}

function idsOf(pages: readonly SearchPage[]): number[] {
  return pages.flatMap(({ tasks }) => tasks.map(({ id }) => id));
}

/** Goes on until the end. */
async function allPages(
  queue: TaskQueue,
  request: SearchRequest,
  between: (page: SearchPage) => Promise<void> = () => Promise.resolve(),
): Promise<SearchPage[]> {
  const pages: SearchPage[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await queue.search({ ...request, cursor });
    pages.push(page);
    await between(page);
    if (page.cursor === null) return pages;
    cursor = page.cursor;
  }
}
