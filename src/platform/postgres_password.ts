/**
 * The password for a PostgreSQL server, found where libpq finds it: the address, `PGPASSWORD`, the password file.
 */
import { messageOf } from "../domain/errors.ts";

/** Whose password is wanted. */
interface Account {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** A password, and what is to be said when the server refuses it. */
export interface Password {
  /** `null` without one: a server may need none. */
  readonly password: string | null;
  /** Where it was looked for, for the message of a refusal; never the password. */
  readonly source: string;
}

type ReadVariable = (name: string) => string | undefined;

const IS_WINDOWS = Deno.build.os === "windows";

/** The bits of a file's mode that let others than its owner use it. */
const OTHERS = 0o077;

/** The password that `given` is, or else the environment knows. */
export function findPassword(
  given: string | undefined,
  account: Account,
  variable: ReadVariable,
): Password {
  if (given) return { password: given, source: "the password of the address was sent" };
  const known = variable("PGPASSWORD");
  if (known !== undefined) {
    return { password: known, source: "the password of PGPASSWORD was sent" };
  }
  const file = variable("PGPASSFILE") ?? defaultFile(variable);
  if (file === undefined) {
    return { password: null, source: "PGPASSWORD and PGPASSFILE are not set" };
  }
  return fromFile(file, account);
}

function defaultFile(variable: ReadVariable): string | undefined {
  const folder = variable(IS_WINDOWS ? "APPDATA" : "HOME");
  if (folder === undefined) return undefined;
  return IS_WINDOWS ? `${folder}\\postgresql\\pgpass.conf` : `${folder}/.pgpass`;
}

/** As libpq does, a file is not used when others may read it. */
function fromFile(file: string, account: Account): Password {
  const name = JSON.stringify(file);
  try {
    const { mode } = Deno.statSync(file);
    if (!IS_WINDOWS && ((mode ?? 0) & OTHERS) !== 0) {
      return {
        password: null,
        source: `${name} was not used, since others may read it: chmod 600`,
      };
    }
    const password = passwordIn(Deno.readTextFileSync(file), account);
    const source = password === null ? "has no line for this account" : "was used";
    return { password, source: `the password file ${name} ${source}` };
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "it is not there" : messageOf(error);
    return { password: null, source: `PGPASSWORD is not set, and of the file ${name}: ${why}` };
  }
}

/** The password of the first line `host:port:database:user:password` that fits; `*` fits all, `\` takes `:` and `\` as they are. */
export function passwordIn(text: string, account: Account): string | null {
  const wanted = [
    account.host.startsWith("/") ? "localhost" : account.host,
    String(account.port),
    account.database,
    account.user,
  ];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = [...line.matchAll(/((?:\\.|[^\\:])*)(?::|$)/g)].map(([, field]) => field!);
    const [host, port, database, user, password] = fields.map(unescaped);
    const known = [host, port, database, user];
    if (password === undefined || fields.length < 5) continue;
    if (wanted.every((value, i) => known[i] === "*" && fields[i] === "*" || known[i] === value)) {
      return password;
    }
  }
  return null;
}

function unescaped(field: string): string {
  return field.replaceAll(/\\(.)/g, "$1");
}
