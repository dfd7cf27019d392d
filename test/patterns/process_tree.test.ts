/**
 * Process tables, as systems without /proc tell them.
 */
import { assertEquals } from "@std/assert";
import { rowsOfPs } from "../../src/platform/process_tree.ts";

Deno.test("the table of ps is read, without the dead that nobody has waited for", () => {
  const text = "    1     0     1 Ss   Mon Nov 16 09:00:01 2026    \n" +
    "  402   401   400 S+   Sat Nov 21 20:19:08 2026\n" +
    "  403   401   400 Z    Sat Nov 21 20:19:08 2026\n\n";
  assertEquals(rowsOfPs(text), [
    { pid: 1, parent: 0, group: 1, start: "Mon Nov 16 09:00:01 2026" },
    { pid: 402, parent: 401, group: 400, start: "Sat Nov 21 20:19:08 2026" },
  ]);
});

Deno.test({
  name: "ps knows this process",
  ignore: Deno.build.os === "windows" ||
    !await Deno.stat("/bin/ps").then(() => true, () => false),
  fn: async () => {
    const command = new Deno.Command("/bin/ps", {
      args: ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="],
    });
    const rows = rowsOfPs(new TextDecoder().decode((await command.output()).stdout));
    const own = rows.find(({ pid }) => pid === Deno.pid);
    assertEquals(own?.parent, Deno.ppid);
  },
});
