/**
 * `holdfast token create NAME`: makes an access token for `serve`. It is shown once; only its hash is written down.
 */
import { type Scope, SCOPES } from "../../server/http/access.ts";
import { createToken } from "../../server/http/tokens.ts";
import { type App, type Program, type Session, writeJson, writeLine, writeNote } from "../app.ts";
import type { DocumentOf } from "../documents.ts";
import { checkedInput, EXIT } from "../exit.ts";
import { someOption } from "../options.ts";

/** Adds the command. It opens no queue. */
export function addTokenCommand(program: Program, app: App): void {
  program.command("token")
    .description("access tokens for serve")
    .command("create")
    .description("make a token: its line goes into the tokens file, the token to its user")
    .argument("<name>", "whose it is: letters, digits, . _ -")
    .addOption(
      someOption(
        "--scopes <scope...>",
        `what it may do; admin may do everything (default: ${SCOPES[0]})`,
        SCOPES,
      ),
    )
    .action((name, options, command) =>
      app.run(
        command.optsWithGlobals(),
        (session) => create(session, name, options.scopes ?? [SCOPES[0]!]),
      )
    );
}

async function create(session: Session, name: string, scopes: readonly Scope[]): Promise<number> {
  const { token, line } = await checkedInput(() => createToken(name, scopes));
  const document: DocumentOf<"NewToken"> = { name, scopes: [...scopes], token, line };
  if (session.json) writeJson(session, document);
  writeLine(session, line);
  writeNote(session, session.json ? "this token is shown once" : `token, shown once: ${token}`);
  return EXIT.done;
}
