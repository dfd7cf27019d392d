/**
 * `holdfast config`: every setting that is in force, and who said so. It opens no queue; passwords are not shown.
 */
import { PROJECT_FILES, SETTINGS, type SettingSource, shownPath } from "../../src/mod.ts";
import { type App, type Program, type Session, writeJson, writeNote, writeTable } from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { EXIT } from "../exit.ts";

/** Adds the command. Exit code 2: the project's file or a variable is wrong. */
export function addConfigCommand(program: Program, app: App): void {
  program.command("config")
    .description("show the settings in force here, and where each comes from")
    .action((_options, command) => app.run(command.optsWithGlobals(), show));
}

function show(session: Session): Promise<number> {
  const document = documentOf(session);
  if (session.json) writeJson(session, document);
  else {
    const rows = document.settings.map(({ name, value, from }) => [name, textOf(value), from]);
    writeTable(session, { head: ["setting", "value", "from"], rows });
  }
  if (document.file === null) writeNote(session, `no project file: ${PROJECT_FILES.join(", ")}`);
  return Promise.resolve(EXIT.done);
}

function documentOf({ project, resolved }: Session): DocumentOf<"Config"> {
  const { config, from } = resolved;
  const names = Object.keys(SETTINGS) as (keyof typeof SETTINGS)[];
  const settings = names.map((name) => {
    const { field, variable } = SETTINGS[name];
    const origins: Record<SettingSource, string> = {
      option: "--db", // the only option of this command that is a setting
      environment: variable,
      file: project.file ?? "",
      default: "default",
    };
    return { name: field, value: shownValue(config[name]), from: origins[from[name]] };
  });
  return { file: project.file, settings };
}

function shownValue(value: unknown): unknown {
  return typeof value === "string" ? shownPath(value) : value ?? null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
