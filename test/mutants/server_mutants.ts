/**
 * Deliberate faults of the HTTP door, each of which a test must catch.
 */
import type { Mutant } from "./mutant.ts";

const STREAMS = ["test/server/streams.test.ts"];
const APP = ["test/server/app.test.ts"];
const ACCESS = ["test/server/access.test.ts"];
const WORKER = ["test/server/worker.test.ts"];
const PAGES = ["test/server/pages.test.ts"];
const EVERY_ROUTE = ["test/server/every_route.test.ts"];

/** Every mutant of `server/`. */
export const SERVER_MUTANTS: readonly Mutant[] = [
  {
    name: "http: a resumed stream tells the page's lines again",
    file: "server/logs/run_log.ts",
    find: "    })).slice(from.lines);\n",
    replace: "    }));\n",
    tests: STREAMS,
  },
  {
    name: "http: the last lines of a run are not told",
    file: "server/runs/run_events.ts",
    find: "      yield* this.#newLines(); // after the task",
    replace: "      if (!isOver) yield* this.#newLines(); // after the task",
    tests: STREAMS,
  },
  {
    name: "http: a change while looking is missed",
    file: "server/http/changes.ts",
    find: "    if (this.#hasChanged || signal.aborted) return;\n",
    replace: "    if (signal.aborted) return;\n",
    tests: STREAMS,
  },
  {
    name: "http: a reader that goes leaves its watcher",
    file: "server/http/changes.ts",
    find: "    this.#unwatch?.();\n",
    replace: "",
    tests: STREAMS,
  },
  {
    name: "http: a reader that goes leaves its look at the log",
    file: "server/http/changes.ts",
    find: "    this.#ended.abort();\n",
    replace: "",
    tests: STREAMS,
  },
  {
    name: "http: a silent stream says nothing",
    file: "server/http/event_stream.ts",
    find:
      '      if (event === "silence") return controller.enqueue(encoder.encode(": still here\\n\\n"));\n',
    replace: '      if (event === "silence") return await this.#pull(controller);\n',
    tests: STREAMS,
  },
  {
    name: "http: history goes on from the page it has just told",
    file: "server/events/routes.ts",
    find: "      after = cursor;\n",
    replace: "",
    tests: STREAMS,
  },
  {
    name: "http: any scope opens any route",
    file: "server/http/access.ts",
    find: '  if (!held.includes(scope) && !held.includes("admin")) throw forbidden(scope, held);\n',
    replace: "",
    tests: EVERY_ROUTE,
  },
  {
    name: "http: nobody need be known",
    file: "server/http/access.ts",
    find: "  if (principal === undefined) {\n",
    replace: "  if (principal === undefined && c.req.path === '/') {\n",
    tests: EVERY_ROUTE,
  },
  {
    name: "http: tokens are compared by their first bytes only",
    file: "server/http/tokens.ts",
    find: "  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);\n",
    replace: "  for (let i = 0; i < 0; i++) difference |= a[i]! ^ (b[i] ?? 0);\n",
    tests: ACCESS,
  },
  {
    name: "http: a foreign page may change things",
    file: "server/http/guard.ts",
    find: "!isListed && isForeign(c, origin)",
    replace: "!isListed && origin === ''",
    tests: ACCESS,
  },
  {
    name: "http: any host is answered",
    file: "server/http/guard.ts",
    find: "    if (!hosts.includes(name)) {\n",
    replace: "    if (hosts.length > 99 && !hosts.includes(name)) {\n",
    tests: ACCESS,
  },
  {
    name: "http: a body may take for ever",
    file: "server/http/guard.ts",
    find: '  if (read === "late") throw options.closing.aborted ? stopping() : tooSlow(options);\n',
    replace: '  if (read === "late") return await (reading as Promise<T>);\n',
    tests: EVERY_ROUTE,
  },
  {
    name: "http: a body may be longer than it says and than is allowed",
    file: "server/http/guard.ts",
    find: "  if (bytes.byteLength > options.bodyMaxBytes) throw tooLarge(options);\n",
    replace: "",
    tests: APP,
  },
  {
    name: "http: a claim goes on for a client that has gone",
    file: "server/workers/routes.ts",
    find: "signal.aborted ? Promise.resolve([]) : claim();",
    replace: "claim();",
    tests: WORKER,
  },
  {
    name: "http: lines are taken from whoever once held the task",
    file: "server/workers/routes.ts",
    find: "task.leaseToken === leaseToken &&",
    replace: "",
    tests: WORKER,
  },
  {
    name: "http: a full page is always followed by another",
    file: "server/http/paging.ts",
    find: "  return more.length === 0 ? null : String(last.id);\n",
    replace: "  return String(more[0]?.id ?? last.id);\n",
    tests: PAGES,
  },
  {
    name: "http: the header's key wins over another one in the body",
    file: "server/tasks/enqueue.ts",
    find: "inBody === undefined || inHeader === inBody",
    replace: "inBody === undefined || inHeader !== undefined",
    tests: PAGES,
  },
  {
    name: "http: an event goes to a reader that has gone",
    file: "server/http/event_stream.ts",
    find: "      if (this.#gone.signal.aborted) return; // with the reader, the stream has ended\n",
    replace: "",
    tests: ["test/server/streams.test.ts"],
  },
];
