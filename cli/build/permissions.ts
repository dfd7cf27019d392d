/**
 * What a compiled holdfast may do: everything that is declared here, and nothing else.
 *
 * Not `--allow-sys`: of all that the program does only https with `NODE_EXTRA_CA_CERTS` wants it, and Deno cannot give that
 * kind of it alone. `deno task compile --allow-sys` makes a program for that; `DENO_TLS_CA_STORE=system` does without.
 */

/** The flags for `deno compile` and `deno run`. */
export const PERMISSIONS: readonly string[] = [
  // queues, logs, backups and handler files are wherever the user says
  "--allow-read",
  "--allow-write",
  // QUEUE_DB_PATH, HOLDFAST_…, TASK_…, NO_COLOR, and what handlers read
  "--allow-env",
  // serve listens where its options say, --url asks any server, webhooks go to allowed hosts, handlers call others
  "--allow-net",
  // command modules start programs, each under a watcher
  "--allow-run",
];
