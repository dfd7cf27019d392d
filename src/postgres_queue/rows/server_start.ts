/**
 * Which start of which server a statement runs on: numbers of transactions mean something on that one alone.
 */

/** One start of one server; a crash of a server sets its statistics back. */
export const SERVER_START = `concat(extract(epoch from pg_postmaster_start_time()), ' ',
  extract(epoch from pg_stat_get_bgwriter_stat_reset_time()))`;
