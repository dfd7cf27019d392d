import { assertEquals, assertThrows } from "@std/assert";
import {
  resolveTaskExecutionConfig,
  TASK_EXECUTION_DEFAULTS,
  type TaskExecutionConfig,
} from "../../src/manager/config.ts";

Deno.test("the defaults are in memory, data/queue.db, with fallback", () => {
  assertEquals(resolveTaskExecutionConfig(), {
    taskBackend: "in-memory",
    queueDbPath: "data/queue.db",
    queueFallbackEnabled: true,
  });
  assertEquals(resolveTaskExecutionConfig({}, {}), { ...TASK_EXECUTION_DEFAULTS });
});

Deno.test("the environment takes precedence over the defaults", () => {
  const env = {
    TASK_BACKEND: "queue",
    QUEUE_DB_PATH: "C:/Data/queue/queue.db",
    QUEUE_FALLBACK_ENABLED: "false",
    HOME: "/root",
  };
  assertEquals(resolveTaskExecutionConfig({}, env), {
    taskBackend: "queue",
    queueDbPath: "C:/Data/queue/queue.db",
    queueFallbackEnabled: false,
  });
});

Deno.test("options go before the environment", () => {
  const env = { TASK_BACKEND: "queue", QUEUE_DB_PATH: "a.db", QUEUE_FALLBACK_ENABLED: "1" };
  const options: TaskExecutionConfig = {
    taskBackend: "in-memory",
    queueDbPath: "b.db",
    queueFallbackEnabled: false,
  };
  assertEquals(resolveTaskExecutionConfig(options, env), options);
});

Deno.test("USE_QUEUE_SYSTEM chooses the queue where TASK_BACKEND says nothing", () => {
  const backendOf = (env: Record<string, string | undefined>): string =>
    resolveTaskExecutionConfig({}, env).taskBackend;
  for (const yes of ["true", "TRUE", "1", " true "]) {
    assertEquals(backendOf({ USE_QUEUE_SYSTEM: yes }), "queue", yes);
  }
  for (const no of ["false", "0", "", undefined]) {
    assertEquals(backendOf({ USE_QUEUE_SYSTEM: no }), "in-memory", no);
  }
  assertEquals(backendOf({ USE_QUEUE_SYSTEM: "true", TASK_BACKEND: "in-memory" }), "in-memory");
  assertEquals(backendOf({ USE_QUEUE_SYSTEM: "true", TASK_BACKEND: "" }), "queue");
});

Deno.test("QUEUE_FALLBACK_ENABLED takes true, false, 1 and 0", () => {
  const fallbackOf = (text: string): boolean =>
    resolveTaskExecutionConfig({}, { QUEUE_FALLBACK_ENABLED: text }).queueFallbackEnabled;
  assertEquals(["true", "1", "false", "0", ""].map(fallbackOf), [true, true, false, false, true]);
});

Deno.test("a wrong variable is named with its value and the allowed ones", () => {
  const wrong: [Record<string, string>, string][] = [
    [
      { TASK_BACKEND: "redis" },
      'Cannot use "redis" as TASK_BACKEND: "in-memory" or "queue" is needed',
    ],
    [
      { USE_QUEUE_SYSTEM: "maybe" },
      'Cannot use "maybe" as USE_QUEUE_SYSTEM: true, false, 1 or 0 is needed',
    ],
    [
      { QUEUE_FALLBACK_ENABLED: "yes" },
      'Cannot use "yes" as QUEUE_FALLBACK_ENABLED: true, false, 1 or 0 is needed',
    ],
  ];
  for (const [env, message] of wrong) {
    const error = assertThrows(() => resolveTaskExecutionConfig({}, env), TypeError);
    assertEquals(error.message, message);
  }
});

Deno.test("a variable whose option is given is not looked at", () => {
  const options = {
    taskBackend: "queue",
    queueDbPath: "q.db",
    queueFallbackEnabled: false,
  } as const;
  const env = {
    TASK_BACKEND: "?",
    USE_QUEUE_SYSTEM: "?",
    QUEUE_DB_PATH: "?",
    QUEUE_FALLBACK_ENABLED: "?",
  };
  assertEquals(resolveTaskExecutionConfig(options, env), options);
});

Deno.test("every wrong variable is told at once", () => {
  const error = assertThrows(
    () => resolveTaskExecutionConfig({}, { TASK_BACKEND: "x", QUEUE_FALLBACK_ENABLED: "y" }),
    TypeError,
  );
  assertEquals(error.message.split("; ").length, 2);
});

Deno.test("a wrong option is named with its value and the allowed ones", () => {
  const wrong: [unknown, string][] = [
    [{ taskBackend: "disk" }, 'Cannot use "disk" as taskBackend: "in-memory" or "queue" is needed'],
    [{ queueDbPath: " " }, 'Cannot use " " as queueDbPath: the path of a file is needed'],
    [{ queueDbPath: 7 }, "Cannot use 7 as queueDbPath: the path of a file is needed"],
    [
      { queueFallbackEnabled: "no" },
      'Cannot use "no" as queueFallbackEnabled: true or false is needed',
    ],
  ];
  for (const [options, message] of wrong) {
    const error = assertThrows(
      () => resolveTaskExecutionConfig(options as Partial<TaskExecutionConfig>),
      TypeError,
    );
    assertEquals(error.message, message);
  }
});
