/**
 * Where a process watcher begins: run by Deno, with nothing but this and what it imports.
 */
import { watchProcess } from "./process_watcher.ts";

await watchProcess();
