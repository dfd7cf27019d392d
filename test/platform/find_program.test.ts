/**
 * Which file a program's name stands for.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { basename, delimiter, join } from "node:path";
import { findProgram, isProgram, windowsCandidates } from "../../src/platform/find_program.ts";
import { withScripts } from "../patterns/scripts.ts";

const isWindows = Deno.build.os === "windows";

Deno.test("a file is a program on Windows whatever its mode says, elsewhere by its execute bits", () => {
  const plain = { isFile: true, mode: 0o100666 };
  assertEquals([isProgram(plain, true), isProgram(plain, false)], [true, false]);
  assertEquals(isProgram({ isFile: true, mode: 0o100744 }, false), true);
  assertEquals(isProgram({ isFile: false, mode: 0o40755 }, true), false);
});

Deno.test("on Windows a name gets the endings of programs, folder by folder, and last those that need a shell", () => {
  assertEquals(windowsCandidates(["a/npm", "b/npm"]), [
    ...["a/npm.com", "a/npm.exe", "b/npm.com", "b/npm.exe"],
    ...["a/npm.bat", "a/npm.cmd", "a/npm.ps1", "b/npm.bat", "b/npm.cmd", "b/npm.ps1"],
  ]);
  assertEquals(windowsCandidates(["a/Tool.EXE"])[0], "a/Tool.EXE");
  assertEquals(windowsCandidates(["a/tool.v2"]).slice(0, 2), ["a/tool.v2.com", "a/tool.v2.exe"]);
  assertEquals(windowsCandidates(["a/tool.cmd"]).includes("a/tool.cmd"), true);
});

Deno.test("a program is found by its name on the PATH and by its path, a folder of that name is not one", async () => {
  const ending = isWindows ? ".exe" : "";
  await withScripts({ [`holdfast-tool${ending}`]: "" }, async (folder) => {
    await Deno.mkdir(join(folder, `holdfast-folder${ending}`));
    const before = Deno.env.get("PATH")!;
    const quoted = isWindows ? `"${folder}"` : folder;
    Deno.env.set("PATH", [before, quoted].join(delimiter));
    try {
      const files = [
        await findProgram(["holdfast-none", "holdfast-tool"], "."),
        await findProgram(["./holdfast-tool"], folder),
      ];
      assertEquals(files.map((file) => basename(file)), Array(2).fill(`holdfast-tool${ending}`));
      await assertRejects(
        () => findProgram(["holdfast-folder"], "."),
        TypeError,
        "no such program",
      );
    } finally {
      Deno.env.set("PATH", before);
    }
  });
});
