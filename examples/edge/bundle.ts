/**
 * What is bundled for places that do not read TypeScript:
 *
 * ```sh
 * deno bundle --platform browser --output edge.mjs examples/edge/bundle.ts
 * ```
 */
export { loadSqlEngine } from "../../src/core.ts";
export { openEdge } from "./app.ts";
export { answer, queueObject } from "./durable_object.ts";
export { KeyValueStorage } from "./key_value_storage.ts";
