/**
 * The example handlers on real files.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { decode, encode } from "fast-png";
import { fileURLToPath } from "node:url";
import { makeThumbnail } from "../../examples/thumbnail.ts";
import { type Json, Scratch } from "./cli_harness.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/handlers.ts", import.meta.url));

/** Runs an example handler. */
function runExample(scratch: Scratch, type: string, payload: unknown): Promise<{ doc: Json }> {
  return scratch.json([
    "run",
    type,
    ...["--payload", JSON.stringify(payload), "--handlers", EXAMPLES],
  ]);
}

Deno.test("checksum gives the SHA-256 of a file of many pieces, and of an empty one", async () => {
  await using scratch = new Scratch();
  const bytes = new Uint8Array(1_000_003).map((_, index) => index % 251);
  await Deno.writeFile(scratch.path("big"), bytes);
  await Deno.writeFile(scratch.path("empty"), new Uint8Array());
  const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const big = await runExample(scratch, "checksum", { path: scratch.path("big") });
  assertEquals(big.doc.result, { sha256: expected, bytes: bytes.length });
  const empty = await runExample(scratch, "checksum", { path: scratch.path("empty") });
  assertMatch(empty.doc.result.sha256, /^e3b0c44298fc1c149afbf4c8996fb924/);
});

Deno.test("checksum of a missing file fails at once", async () => {
  await using scratch = new Scratch();
  const { doc } = await runExample(scratch, "checksum", { path: scratch.path("missing") });
  assertEquals([doc.status, doc.attempts], ["failed", 1]);
});

Deno.test("sleep sleeps and reports progress", async () => {
  await using scratch = new Scratch();
  const { doc } = await runExample(scratch, "sleep", { ms: 20 });
  assertEquals([doc.status, doc.result], ["completed", { slept_ms: 20 }]);
});

Deno.test("thumbnail writes a smaller PNG whose pixels are means", async () => {
  await using scratch = new Scratch();
  const data = new Uint8Array(4 * 2 * 3).map((_, index) => index < 12 ? 100 : 200);
  await Deno.writeFile(scratch.path("in.png"), encode({ width: 4, height: 2, data, channels: 3 }));
  const { doc } = await runExample(scratch, "thumbnail", {
    path: scratch.path("in.png"),
    output: scratch.path("out.png"),
    size: 2,
  });
  assertEquals([doc.result?.width, doc.result?.height], [2, 1]);
  const thumbnail = decode(await Deno.readFile(scratch.path("out.png")));
  assertEquals([thumbnail.width, thumbnail.height], [2, 1]);
  assertEquals([...thumbnail.data], [150, 150, 150, 150, 150, 150]);
});

Deno.test("thumbnail of something else fails at once and writes nothing", async () => {
  await using scratch = new Scratch();
  await Deno.writeTextFile(scratch.path("in.png"), "no picture");
  const { doc } = await runExample(scratch, "thumbnail", {
    path: scratch.path("in.png"),
    output: scratch.path("out.png"),
  });
  assertEquals([doc.status, doc.attempts], ["failed", 1]);
  assertEquals(
    [...Deno.readDirSync(scratch.folder)].some(({ name }) => name.includes("out")),
    false,
  );
});

Deno.test("makeThumbnail() keeps the depth and the size of a small picture", () => {
  const data = Uint16Array.from([0, 65535, 1, 2]);
  const png = encode({ width: 2, height: 1, data, channels: 2, depth: 16 });
  const { png: copy, width, height } = makeThumbnail(png, 100);
  assertEquals([width, height], [2, 1]);
  assertEquals([decode(copy).depth, [...decode(copy).data]], [16, [...data]]);
});

Deno.test("makeThumbnail() keeps at least one pixel of a long picture", () => {
  const png = encode({ width: 1000, height: 1, data: new Uint8Array(3000), channels: 3 });
  assertEquals(makeThumbnail(png, 10).height, 1);
  assert(makeThumbnail(png, 10).width === 10);
});

Deno.test("digits computes in a thread of its own, as examples/handlers.yaml says", async () => {
  await using scratch = new Scratch();
  const list = fileURLToPath(new URL("../../examples/handlers.yaml", import.meta.url));
  const run = (payload: unknown): Promise<{ doc: Json }> =>
    scratch.json(["run", "digits", "--payload", JSON.stringify(payload), "--handlers", list]);
  assertEquals((await run({ count: 20 })).doc.result, { digits: "31415926535897932384" });
  const refused = (await run({ count: 0 })).doc;
  assertEquals([refused.status, refused.attempts], ["failed", 1]);
  assertMatch(refused.error_message, /payload\.count/);
});
