/**
 * `--memory-max` and `--log-max`: what a queue and the logs of its tasks may take.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Scratch } from "./cli_harness.ts";

const CHATTY = `export function chatty(_task, context) {
  for (let n = 0; n < 30; n++) context.log("info", "x".repeat(10_000));
}
`;

Deno.test("run --memory-max refuses with 4 what does not fit, and names the limit", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(`${scratch.folder}/large.json`, JSON.stringify("x".repeat(250_000)));
  const payload = ["--payload-file", `${scratch.folder}/large.json`];
  for (let n = 0; n < 3; n++) await scratch.run(["enqueue", "t", ...payload]);
  await Deno.writeTextFile(`${scratch.folder}/handlers.ts`, CHATTY);
  const handlers = ["--handlers", `${scratch.folder}/handlers.ts`];
  const { code, err } = await scratch.run(["run", "chatty", ...handlers, "--memory-max", "1M"]);
  assertEquals(code, 4, err);
  assertStringIncludes(err, "786432 are allowed");
  const { code: fits } = await scratch.run(["run", "chatty", ...handlers, "--memory-max", "0.5G"]);
  assertEquals(fits, 0);
});

Deno.test("worker --log-max, HOLDFAST_LOG_MAX_BYTES and log_max_bytes bound the log of a task", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(`${scratch.folder}/handlers.ts`, CHATTY);
  await Deno.writeTextFile(`${scratch.folder}/worker.toml`, "log_max_bytes = 100000\n");
  const work = ["worker", "--handlers", `${scratch.folder}/handlers.ts`, "--until-empty"];
  const environment = { HOLDFAST_LOG_MAX_BYTES: "200000" };
  const config = ["--config", `${scratch.folder}/worker.toml`];
  const ways = [
    { args: ["--log-max", "64K"], environment, bytes: 65_536 },
    { args: config, environment, bytes: 200_000 },
    { args: config, environment: {}, bytes: 100_000 },
  ];
  for (const [index, { args, environment, bytes }] of ways.entries()) {
    await scratch.run(["enqueue", "chatty"]);
    assertEquals((await scratch.run([...work, ...args], { environment })).code, 0);
    const { size } = await Deno.stat(`${scratch.db}.logs/${index + 1}.ndjson`);
    assert(size > bytes - 12_000 && size < bytes + 1000, `${size} bytes`);
  }
});

Deno.test("a size that cannot be is refused with 2", async () => {
  await using scratch = new Scratch();
  for (const option of ["--memory-max", "--log-max"]) {
    for (const size of ["1", "2T", "-1M", "10G", "M", ""]) {
      const { code, err } = await scratch.run(["serve", option, size]);
      assertEquals(code, 2);
      assertStringIncludes(err, "bytes such as 64M is needed");
    }
  }
});
