/**
 * `holdfast version`, also `--version`: which Holdfast this is, and what it runs on.
 */
import configuration from "../../deno.json" with { type: "json" };
import { sqliteVersion } from "../../src/mod.ts";
import { type App, type Program, type Session, writeJson, writeLine } from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";

/** What a compiled program knows of how it was made. */
export interface BuildData {
  /** The commit; `null` when it was not known. */
  readonly commit: string | null;
  /** When, ISO 8601. */
  readonly builtAt: string;
}

/** Adds the command. It opens no queue. */
export function addVersionCommand(program: Program, app: App, build: BuildData | null): void {
  program.command("version")
    .description("say which Holdfast this is, and what it runs on")
    .action((_options, command) =>
      app.run(command.optsWithGlobals(), (session) => version(session, build))
    );
}

async function version(session: Session, build: BuildData | null): Promise<number> {
  const document: DocumentOf<"Version"> = {
    version: configuration.version,
    commit: build?.commit ?? null,
    built_at: build?.builtAt ?? null,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    sqlite: await sqliteVersion(),
    target: Deno.build.target,
    compiled: Deno.build.standalone,
  };
  if (session.json) writeJson(session, document);
  const { commit, built_at: builtAt } = document;
  const origin = [
    ...commit === null ? [] : [`commit ${commit}`],
    ...builtAt === null ? [] : [`built ${builtAt}`],
    ...document.compiled ? [] : ["run from its source"],
  ];
  writeLine(session, `holdfast ${document.version} (${origin.join(", ")})`);
  writeLine(session, `deno ${document.deno}, v8 ${document.v8}, sqlite ${document.sqlite}`);
  writeLine(session, document.target);
  return EXIT.done;
}
