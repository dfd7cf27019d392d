import { assertEquals } from "@std/assert";
import { StorageError } from "../../src/mod.ts";
import { HealthSchema, UnhealthySchema } from "../../server/schemas.ts";
import { failingQueue, NOW, read, withApp } from "./fixture.ts";

Deno.test("GET /api/health answers 200 with the version and the counts", () =>
  withApp(async ({ app, queue }) => {
    await queue.enqueue({ type: "t" });
    assertEquals(await read(await app.request("/api/health"), 200, HealthSchema), {
      status: "healthy",
      version: "1.2.3",
      queue: {
        total: 1,
        by_status: { queued: 1, leased: 0, completed: 0, failed: 0, cancelled: 0 },
      },
    });
  }, { version: "1.2.3" }));

Deno.test("GET /api/health leaves out a version that was not given", () =>
  withApp(async ({ app }) => {
    const body = await read(await app.request("/api/health"), 200, HealthSchema);
    assertEquals("version" in body, false);
  }));

for (
  const error of [new StorageError("read", "/secret/path", "disk on fire"), new Error("secret")]
) {
  Deno.test(`GET /api/health answers 503 without internals when stats() rejects with ${error.name}`, () =>
    withApp(async ({ app, reported }) => {
      const response = await app.request("/api/health");
      assertEquals(response.headers.get("Retry-After"), "5");
      assertEquals(await read(response, 503, UnhealthySchema), {
        status: "unhealthy",
        version: "1.2.3",
        detail: "The queue is not available, try again later",
        error_code: "QUEUE_UNAVAILABLE",
        timestamp: NOW,
      });
      assertEquals(reported, [error]);
    }, { version: "1.2.3", queue: failingQueue(error) }));
}

Deno.test("GET /api/health answers 503 once the queue is closed", () =>
  withApp(async ({ app, queue }) => {
    await queue.close();
    const body = await read(await app.request("/api/health"), 503, UnhealthySchema);
    assertEquals(body.status, "unhealthy");
  }));
