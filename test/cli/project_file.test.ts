/**
 * The project file: every command finds its settings there, and an option, a variable, the file and the default count in
 * that order.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { holdfast, type Outcome, Scratch, type Surroundings } from "./cli_harness.ts";

const HANDLER = `export function greet({ payload }) { return "hello " + payload.name; }\n`;

/** A folder with a project in it; commands run there. */
class ProjectFolder extends Scratch {
  /** Writes a file of the project. */
  async write(name: string, text: string): Promise<this> {
    await Deno.writeTextFile(this.path(name), text);
    return this;
  }

  /** Runs a command in the folder, without any option but these. */
  here(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
    return holdfast(args, { folder: this.folder, ...surroundings });
  }
}

function dbLine(db: string): string {
  return `db = ${JSON.stringify(db)}\n`;
}

Deno.test("in a project with handlers.ts no command needs an option", async () => {
  await using project = new ProjectFolder();
  await project.write("handlers.ts", HANDLER);
  await project.write("holdfast.toml", dbLine(project.db));
  assertEquals((await project.here(["enqueue", "greet", "--payload", '{"name":"ann"}'])).code, 0);
  const worked = await project.here(["worker", "--until-empty"]);
  assertEquals(worked.code, 0, worked.err);
  assertEquals(JSON.parse((await project.here(["show", "1", "--json"])).out).result, "hello ann");
  const ran = await project.here(["run", "greet", "--payload", '{"name":"bob"}']);
  assertEquals([ran.code, ran.out], [0, '"hello bob"\n'], ran.err);
});

Deno.test("paths of a project file are relative to it; another file is named by --config", async () => {
  await using project = new ProjectFolder();
  await Deno.mkdir(project.path("inner"));
  await project.write(join("inner", "work.js"), HANDLER);
  const content = { db: "queue.db", handlers: "work.js" };
  await project.write(join("inner", "other.json"), JSON.stringify(content));
  const config = ["--config", project.path(join("inner", "other.json"))];
  const { code, err } = await holdfast(["run", "greet", "--payload", '{"name":"x"}', ...config]);
  assertEquals(code, 0, err);
  const { out } = await holdfast(["list", "--json", ...config]);
  assertEquals(JSON.parse(out).tasks[0].status, "completed");
});

Deno.test("worker without handlers says what to write", async () => {
  await using project = new ProjectFolder();
  const { code, err } = await project.here(["--db", project.db, "worker"]);
  assertEquals(code, 2);
  for (
    const advice of [
      "write handlers.ts here",
      "--handlers FILE",
      'handlers = "FILE" in holdfast.toml',
    ]
  ) {
    assertStringIncludes(err, advice);
  }
});

Deno.test("worker and serve say which finished tasks they delete, and who wants it so", async () => {
  await using project = new ProjectFolder();
  await project.write("handlers.ts", HANDLER);
  const work = ["--db", project.db, "worker", "--until-empty"];
  const said = async (args: string[], surroundings: Surroundings = {}): Promise<string> => {
    const { code, err } = await project.here([...work, ...args], surroundings);
    assertEquals(code, 0, err);
    return /^retention .*$/m.exec(err)![0];
  };
  assertStringIncludes(await said([]), "retention 30d, keep:100000 (default; ");
  await project.write("holdfast.yaml", "retention: [failed:90d]\n");
  assertStringIncludes(await said([]), `retention failed:90d (${project.path("holdfast.yaml")})`);
  const environment = { HOLDFAST_RETENTION: "1h,keep:5" };
  assertStringIncludes(await said([], { environment }), "1h, keep:5 (HOLDFAST_RETENTION)");
  const none = await said(["--retention", "none"], { environment });
  assertEquals(none, "retention none (--retention): finished tasks are kept for ever");
});

Deno.test("worker --until-empty applies retention before it ends", async () => {
  await using project = new ProjectFolder();
  await project.write("handlers.ts", HANDLER);
  const db = ["--db", project.db];
  for (let n = 0; n < 3; n++) await project.here([...db, "enqueue", "greet"]);
  await project.here([...db, "worker", "--until-empty"]);
  await project.here([...db, "enqueue", "greet"]);
  await project.here([...db, "worker", "--until-empty", "--retention", "keep:1"]);
  const { out } = await project.here([...db, "list", "--json"]);
  assertEquals(JSON.parse(out).tasks.map(({ id }: { id: number }) => id), [4]);
});

for (
  const [what, files, message] of [
    ["two files", { "holdfast.toml": "", "holdfast.json": "{}" }, "one file is needed"],
    [
      "an unknown setting",
      { "holdfast.toml": "hendlers = 1" },
      'unknown are "hendlers", known are db',
    ],
    [
      "a wrong type",
      { "holdfast.json": '{"concurrency":"4"}' },
      'concurrency: "4": an integer from 1 to',
    ],
    [
      "a rule that is none",
      { "holdfast.toml": 'retention = ["30"]' },
      'retention.0: "30": a rule such as 30d',
    ],
    ["a broken file", { "holdfast.yaml": "a: [" }, "Cannot configure Holdfast from"],
  ] as const
) {
  Deno.test(`every command refuses a project with ${what}`, async () => {
    await using project = new ProjectFolder();
    for (const [name, text] of Object.entries(files)) await project.write(name, text);
    for (const command of ["list", "worker", "config"]) {
      const { code, out, err } = await project.here([command]);
      assertEquals([code, out], [2, ""]);
      assertStringIncludes(err, message);
      assertStringIncludes(err, Object.keys(files)[0]!);
    }
  });
}

Deno.test("config says what is in force and where each value comes from, without a password", async () => {
  await using project = new ProjectFolder();
  const address = "postgres://ann:hunter2@db.example/jobs?schema=x";
  await project.write("holdfast.toml", `${dbLine(address)}port = 9000\n`);
  const environment = { HOLDFAST_CONCURRENCY: "7" };
  const { code, out, err } = await project.here(["config", "--json"], { environment });
  assertEquals(code, 0, err);
  const { file, settings } = JSON.parse(out);
  const of = (name: string): unknown =>
    settings.filter((each: { name: string }) => each.name === name)[0];
  assertEquals(file, project.path("holdfast.toml"));
  assertEquals(of("db"), {
    name: "db",
    value: "postgres://ann@db.example/jobs?schema=x",
    from: file,
  });
  assertEquals(of("concurrency"), { name: "concurrency", value: 7, from: "HOLDFAST_CONCURRENCY" });
  assertEquals(of("host"), { name: "host", value: "127.0.0.1", from: "default" });
  const text = await project.here(["--db", "x.db", "config"], { environment });
  assertStringIncludes(text.out, "db\tx.db\t--db\n");
  assertEquals(`${out}${text.out}`.includes("hunter2"), false);
});
