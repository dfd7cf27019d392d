/**
 * Handlers that would end the process, in a real one: their tasks fail or end, the others go on, the exit code is true.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { holdfastProcess, Scratch } from "./cli_harness.ts";

const HANDLERS = `
import process, { exit } from "node:process";
import { EventEmitter } from "node:events";
export function byDeno() { Deno.exit(0); }
export function byProcess() { process.exit(0); }
export function byName() { exit(0); }
export function byTimer() { return later(() => Deno.exit(0)); }
export function thrown() { return later(() => { throw new Error("nobody catches this"); }); }
export function emitted() { return later(() => new EventEmitter().emit("error", new Error("nobody listens"))); }
export function proxy() { const { proxy, revoke } = Proxy.revocable(new Error("gone"), {}); revoke(); throw proxy; }
export function getters() {
  const error = new Error("seen");
  for (const name of ["name", "stack", "exitCode", "delayMs"]) {
    Object.defineProperty(error, name, { get() { throw new Error("not this"); } });
  }
  throw error;
}
export function last() { return "done"; }
function later(work) {
  return new Promise((resolve) => { setTimeout(work, 0); setTimeout(resolve, 20); });
}
`;

Deno.test("no handler ends the worker's process, and what it tried is told", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("handlers.js"), HANDLERS);
  const failing = ["byDeno", "byProcess", "byName", "proxy", "getters"];
  const ending = ["byTimer", "thrown", "emitted", "last"];
  for (const type of [...failing, ...ending]) {
    assertEquals((await scratch.run(["enqueue", type, "--max-attempts", "1"])).code, 0);
  }
  const options = ["--handlers", scratch.path("handlers.js"), "--concurrency", "1"];
  const args = ["--db", scratch.db, "worker", ...options, "--until-empty", "--json"];
  const { code, stdout, stderr } = await holdfastProcess(args).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const { completed, failed, lost } = JSON.parse(out!);
  assertEquals([code, completed, failed, lost], [0, ending.length, failing.length, 0]);
  for (const [index, type] of failing.entries()) {
    const { doc } = await scratch.json(["show", String(index + 1)]);
    const message = { proxy: "no message", getters: "seen" }[type] ?? "Cannot exit with 0";
    assertStringIncludes(doc.error_message, message);
  }
  for (const what of ["Cannot exit with 0", "nobody catches this", "nobody listens"]) {
    assertStringIncludes(err!, `an error that nothing caught (a handler's, most likely): ${what}`);
  }
});
