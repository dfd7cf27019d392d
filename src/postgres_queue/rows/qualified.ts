/**
 * Qualified names: statements name tables as `@task`, and run with the schema of one queue before each name. So they need no
 * `search_path`, which is the state of a session.
 */
import type { Parameter, Row, Statements } from "./database.ts";

/** A name as SQL quotes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Gives the texts of statements for one schema. */
export class Qualifier {
  readonly #prefix: string;
  readonly #known = new Map<string, string>();

  constructor(schema: string) {
    this.#prefix = `${quoted(schema)}.`;
  }

  /** The statement with each `@name` in the schema. */
  text(statement: string): string {
    const known = this.#known.get(statement);
    if (known !== undefined) return known;
    const text = statement.replaceAll(/@(\w+)/g, (_, name: string) => this.#prefix + quoted(name));
    this.#known.set(statement, text);
    return text;
  }
}

/** Statements of one schema. */
export class QualifiedStatements implements Statements {
  readonly #statements: Statements;
  readonly #qualifier: Qualifier;

  constructor(statements: Statements, qualifier: Qualifier) {
    this.#statements = statements;
    this.#qualifier = qualifier;
  }

  /** Runs one statement whose tables are named `@name`. @throws DatabaseError */
  query(text: string, parameters?: readonly Parameter[]): Promise<Row[]> {
    return this.#statements.query(this.#qualifier.text(text), parameters);
  }
}
