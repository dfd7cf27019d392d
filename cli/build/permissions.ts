/**
 * What a compiled holdfast may do: everything that is declared here, and nothing else.
 */

/** The flags for `deno compile` and `deno run`. */
export const PERMISSIONS: readonly string[] = [
  // queues, logs, backups and handler files are wherever the user says
  "--allow-read",
  "--allow-write",
  // QUEUE_DB_PATH, HOLDFAST_…, TASK_…, NO_COLOR, and what handlers read
  "--allow-env",
  // serve listens where it is told, --url asks any server, webhooks go to allowed hosts, handlers call others
  "--allow-net",
  // webhooks over https trust what NODE_EXTRA_CA_CERTS names, where that is set
  "--allow-sys",
  // command modules start programs, each under a watcher
  "--allow-run",
];
