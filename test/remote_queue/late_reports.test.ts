/**
 * Reports of progress that are late on their way to a server: they arrive in the order in which they were made, and before the
 * attempt ends.
 */
import { assertEquals } from "@std/assert";
import { type Network, withRemote } from "./remote_fixture.ts";

Deno.test("a failure shows the progress that was reported last, although an earlier report is late", async () => {
  let late: Promise<void> | undefined;
  const network: Network = async (request, send) => {
    const isFirst = late === undefined && request.url.endsWith("/progress");
    if (isFirst) late = new Promise((resolve) => setTimeout(resolve, 20));
    if (isFirst || request.url.endsWith("/fail")) await late;
    return await send(request);
  };
  await withRemote({ network }, async ({ remote }) => {
    await remote.enqueue({ type: "t", maxAttempts: 1 });
    const [task] = await remote.claim({ workerId: "w", types: ["t"] });
    const [, , failed] = await Promise.all([
      remote.reportProgress(task!, 10),
      remote.reportProgress(task!, 90),
      remote.fail(task!, new Error("so near")),
    ]);
    assertEquals([failed.status, failed.progress], ["failed", 90]);
  });
});
