/**
 * Answers of a server, checked before they are believed: a decoder turns a JSON value into what it stands for, or throws a
 * `ForeignAnswer`, as where the address belongs to another program.
 */
import { type SnakeName, snakeName } from "../domain/task_body.ts";

/** The value that an answer's part stands for. @throws ForeignAnswer */
export type Decode<T> = (value: unknown) => T;

/** An answer that Holdfast does not give. */
export class ForeignAnswer extends Error {
  /** `ForeignAnswer`. */
  override readonly name = "ForeignAnswer";
}

/** A decoder for each field, with its name in JSON where that is not its own with `_` in place of capitals. */
export type Fields<T> = { readonly [Name in keyof T]: Decode<T[Name]> | NamedField<T[Name]> };

/** A field that has another name in JSON. */
export type NamedField<T> = readonly [name: string, decode: Decode<T>];

/** A string. */
export const text: Decode<string> = primitive("string");
/** A number. */
export const number: Decode<number> = primitive("number");
/** `true` or `false`. */
export const flag: Decode<boolean> = primitive("boolean");
/** Any JSON value. */
export function json(value: unknown): unknown {
  return value ?? null;
}
/** An instant in ISO 8601. */
export function instant(value: unknown): Date {
  const at = new Date(text(value));
  return Number.isNaN(at.getTime()) ? refuse("an instant", value) : at;
}
/** A JSON object as it is. */
export function pairs(value: unknown): Record<string, unknown> {
  return fieldsOf(value);
}

/** What `decode` gives, or `null`. */
export function nullable<T>(decode: Decode<T>): Decode<T | null> {
  return (value) => value === null ? null : decode(value);
}

/** One of some strings. */
export function oneOf<T extends string>(choices: readonly T[]): Decode<T> {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    return found ?? refuse(`one of ${choices.join(", ")}`, value);
  };
}

/** An array. */
export function list<T>(decode: Decode<T>): Decode<T[]> {
  return (value) => Array.isArray(value) ? value.map(decode) : refuse("an array", value);
}

/** An object whose values are all alike. */
export function record<T>(decode: Decode<T>): Decode<Record<string, T>> {
  return (value) =>
    Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, each]) => [name, decode(each)]));
}

/** An object; what else it has is left out. */
export function object<T extends object>(fields: Fields<T>): Decode<T> {
  const decoders = Object.entries(fields).map(([name, field]) => {
    const [from, decode] = Array.isArray(field) ? field : [snakeName(name), field];
    return [name, from, decode] as readonly [string, string, Decode<unknown>];
  });
  return (value) => {
    const given = fieldsOf(value);
    return Object.fromEntries(
      decoders.map(([name, from, decode]) => [name, decode(given[from])]),
    ) as T;
  };
}

/** One field of an object. */
export function field<Name extends string, T>(name: Name, decode: Decode<T>): Decode<T> {
  return (value) => decode(fieldsOf(value)[snakeName(name) as SnakeName<Name>]);
}

function fieldsOf(value: unknown): Record<string, unknown> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as Record<string, unknown> : refuse("an object", value);
}

function primitive<T>(kind: string): Decode<T> {
  return (value) => {
    const found: string = typeof value;
    return found === kind ? value as T : refuse(`a ${kind}`, value);
  };
}

function refuse(wanted: string, value: unknown): never {
  const found = JSON.stringify(value)?.slice(0, 100) ?? "nothing";
  throw new ForeignAnswer(`${found} was answered where ${wanted} is needed`);
}
