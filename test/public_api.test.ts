/**
 * The public API: what `src/mod.ts` exports, as it is pinned in `public_api.txt`, and that all of it is documented.
 */
import { assert, assertEquals } from "@std/assert";
import { deno, exports, linesOf, PINNED } from "./support/public_api.ts";

/** What a caller gives; all else is what a caller gets. */
const GIVEN = /(Options|Request|Settings|Parts|Config)$|^New/;

Deno.test("src/mod.ts exports what public_api.txt lists", async () => {
  const exported = linesOf(await exports());
  const pinned = (await Deno.readTextFile(PINNED)).split(/\r?\n/).filter((line) => line !== "");
  const difference = {
    notPinned: exported.filter((line) => !pinned.includes(line)),
    notExported: pinned.filter((line) => !exported.includes(line)),
  };
  assertEquals(
    difference,
    { notPinned: [], notExported: [] },
    `The public API has changed. If that is meant, run test/support/public_api.ts, which pins it: ${
      JSON.stringify(difference, null, 2)
    }`,
  );
  assert(exported.length > 80, `${exported.length} exports`);
});

Deno.test("every option of the public API says its default", async () => {
  let options = 0;
  const silent: string[] = [];
  for (const { name, declarations } of await exports()) {
    if (!GIVEN.test(name)) continue;
    for (const property of declarations.flatMap(({ def }) => def.properties ?? [])) {
      if (!property.optional) continue;
      options++;
      if (!/default/i.test(property.jsDoc?.doc ?? "")) silent.push(`${name}.${property.name}`);
    }
  }
  assertEquals(silent, []);
  assert(options > 50, `${options} options`);
});

Deno.test("every part of the public API is documented, with the types that it is made of", async () => {
  const { stderr } = await deno("doc", "--lint", "src/mod.ts");
  const problems = [...stderr.matchAll(/^error\[.*\n.*/gm)].map(([text]) => text);
  assertEquals(problems, []);
  assert(/documentation lint errors|Checked/.test(stderr), stderr);
});
