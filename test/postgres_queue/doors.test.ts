/**
 * The doors of a queue on PostgreSQL: a quick part of the tests of the HTTP server and of the command line, which otherwise run on a
 * queue in files. All of them: `deno task test:postgres`.
 */
import "../support/postgres_engine.ts";
import "../server/queue.test.ts";
import "../server/worker.test.ts";
import "../cli/tasks.test.ts";
