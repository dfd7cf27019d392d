import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  resolveTaskExecutionConfig,
  TASK_EXECUTION_DEFAULTS,
  type TaskExecutionConfig,
} from "../../src/manager/config.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_260_131, numRuns: numRuns(2000) };

type Environment = Record<string, string | undefined>;

const blanks = fc.constantFrom("", " ", "\t", "\n ");

/** A variable: unset, empty, or one of these with blanks around it. */
function variables(...texts: string[]): fc.Arbitrary<string | undefined> {
  return fc.oneof(
    fc.constant(undefined),
    blanks,
    fc.tuple(blanks, fc.constantFrom(...texts), blanks).map((parts) => parts.join("")),
  );
}

const environments: fc.Arbitrary<Environment> = fc.record({
  TASK_BACKEND: variables("in-memory", "queue"),
  USE_QUEUE_SYSTEM: variables("true", "false", "TRUE", "1", "0"),
  QUEUE_DB_PATH: variables("a/b.db", "C:\\queue ü.db"),
  QUEUE_FALLBACK_ENABLED: variables("true", "false", "False", "1", "0"),
  HOME: variables("/root"),
}, { requiredKeys: [] });

const options: fc.Arbitrary<Partial<TaskExecutionConfig>> = fc.record({
  taskBackend: fc.constantFrom("in-memory" as const, "queue" as const, undefined),
  queueDbPath: fc.constantFrom("given.db", " ü.db", undefined),
  queueFallbackEnabled: fc.constantFrom(true, false, undefined),
}, { requiredKeys: [] });

Deno.test("resolveTaskExecutionConfig() takes options, then environment, then defaults, one by one", () => {
  fc.assert(
    fc.property(options, environments, (given, env) => {
      const said = (name: string): string | undefined => env[name]?.trim() || undefined;
      const flag = (name: string): boolean | undefined => {
        const text = said(name)?.toLowerCase();
        return text === undefined ? undefined : text === "true" || text === "1";
      };
      const switched = flag("USE_QUEUE_SYSTEM") ? "queue" : "in-memory";
      const fallback = [given.queueFallbackEnabled, flag("QUEUE_FALLBACK_ENABLED"), true];
      assertEquals<unknown>(resolveTaskExecutionConfig(given, env), {
        taskBackend: given.taskBackend ?? said("TASK_BACKEND") ?? switched,
        queueDbPath: given.queueDbPath ?? said("QUEUE_DB_PATH") ?? "data/queue.db",
        queueFallbackEnabled: fallback.find((value) => value !== undefined),
      });
    }),
    PARAMETERS,
  );
});

Deno.test("resolveTaskExecutionConfig() gives a configuration that it gives again, and changes no default", () => {
  fc.assert(
    fc.property(options, environments, environments, (given, env, other) => {
      const resolved = resolveTaskExecutionConfig(given, env);
      assertEquals(resolveTaskExecutionConfig(resolved, other), resolved);
      assertEquals(TASK_EXECUTION_DEFAULTS, {
        taskBackend: "in-memory",
        queueDbPath: "data/queue.db",
        queueFallbackEnabled: true,
      });
    }),
    PARAMETERS,
  );
});

Deno.test("resolveTaskExecutionConfig() refuses rubbish in a variable with a TypeError that names it and its value", () => {
  const names = fc.constantFrom("TASK_BACKEND", "USE_QUEUE_SYSTEM", "QUEUE_FALLBACK_ENABLED");
  const allowed = ["in-memory", "queue", "true", "false", "1", "0", ""];
  const rubbish = fc.oneof(
    fc.constantFrom("yes", "no", "on", "QUEUE", "queue!", "2", "null", "__proto__", "constructor"),
    fc.string({ unit: "binary-ascii" }),
  ).filter((text) => !allowed.includes(text.trim().toLowerCase()) || text.trim() === "QUEUE");
  fc.assert(
    fc.property(names, rubbish, options, environments, (name, text, given, env) => {
      // What an option says, no variable is asked.
      const option = name === "QUEUE_FALLBACK_ENABLED" ? "queueFallbackEnabled" : "taskBackend";
      fc.pre(given[option] === undefined);
      const wrong = { ...env, [name]: text };
      const error = assertThrows(() => resolveTaskExecutionConfig(given, wrong), TypeError, name);
      assert(error.message.includes(JSON.stringify(text.trim())), error.message);
    }),
    { ...PARAMETERS, numRuns: numRuns(1000) },
  );
});

Deno.test("resolveTaskExecutionConfig() refuses rubbish in an option with a TypeError that names it", () => {
  const wrong = fc.oneof(
    fc.tuple(fc.constant("taskBackend"), fc.anything().filter((v) => !isBackend(v))),
    fc.tuple(fc.constant("queueDbPath"), fc.anything().filter((v) => typeof v !== "string")),
    fc.tuple(fc.constant("queueDbPath"), blanks),
    fc.tuple(
      fc.constant("queueFallbackEnabled"),
      fc.anything().filter((v) => typeof v !== "boolean"),
    ),
  ).filter(([, value]) => value !== undefined && canBeShown(value));
  fc.assert(
    fc.property(wrong, environments, ([name, value], env) => {
      assertThrows(() => resolveTaskExecutionConfig({ [name]: value }, env), TypeError, name);
    }),
    PARAMETERS,
  );
});

function isBackend(value: unknown): boolean {
  return value === "in-memory" || value === "queue";
}

/** A bigint has no JSON and so cannot stand in the message. */
function canBeShown(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}
