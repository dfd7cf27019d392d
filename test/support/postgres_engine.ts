/**
 * Loaded before anything else, this puts the queues of a test file on PostgreSQL.
 */
import { ON_POSTGRES } from "./on_postgres.ts";

Object.defineProperty(globalThis, ON_POSTGRES, { value: true });
