/**
 * JSON values: what a payload or a result may be, checked before any effect.
 */

/** How deeply arrays and objects may nest. */
const MAX_DEPTH = 200;

/** How much of a long path a message shows. */
const PATH_SHOWN = 60;

const encoder = new TextEncoder();

/**
 * The JSON text of `value`.
 *
 * @throws TypeError when `value` is not JSON (NaN, a function, a cycle, a Map, …); `what` names it in the message.
 * @throws RangeError when the text takes more than `maxBytes` bytes of UTF-8.
 */
export function toJsonText(value: unknown, what: string, maxBytes: number): string {
  checkJson(value, what, [], 0);
  const text = JSON.stringify(value);
  const bytes = text.length * 3 <= maxBytes ? text.length : encoder.encode(text).length;
  if (bytes > maxBytes) {
    throw new RangeError(
      `Cannot accept ${what} of ${bytes} bytes: at most ${maxBytes} are allowed`,
    );
  }
  return text;
}

/** JSON text with the keys of every object sorted: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part === null || typeof part !== "object" || Array.isArray(part)) return part;
    return Object.fromEntries(
      Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
    );
  });
}

/** Whether two JSON texts hold equal values, whatever the order of their keys. */
export function isSameJson(a: string, b: string): boolean {
  return a === b || canonicalJson(JSON.parse(a)) === canonicalJson(JSON.parse(b));
}

function checkJson(value: unknown, at: string, parents: object[], depth: number): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      throw new TypeError(`Cannot store ${at}: ${value} is not a JSON value`);
    case "object":
      if (value === null) return;
      return checkContainer(value, at, parents, depth);
    default:
      throw new TypeError(`Cannot store ${at}: a ${typeof value} is not a JSON value`);
  }
}

/** The beginning of a path, which may be long. */
function shortened(path: string): string {
  return path.length <= PATH_SHOWN ? path : `${path.slice(0, PATH_SHOWN).toWellFormed()}…`;
}

function checkContainer(value: object, at: string, parents: object[], depth: number): void {
  if (parents.includes(value)) throw new TypeError(`Cannot store ${at}: it contains itself`);
  if (depth >= MAX_DEPTH) {
    throw new TypeError(`Cannot store ${shortened(at)}: nested deeper than ${MAX_DEPTH}`);
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return checkJson(value.toJSON(), at, parents, depth + 1);
  }
  parents.push(value);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkJson(value[i], `${at}[${i}]`, parents, depth + 1);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (
      prototype !== null && prototype !== Object.prototype &&
      Object.getPrototypeOf(prototype) !== null
    ) {
      throw new TypeError(
        `Cannot store ${at}: a ${value.constructor?.name || "class instance"} is not a JSON value`,
      );
    }
    for (const [key, part] of Object.entries(value)) {
      if (part !== undefined) checkJson(part, `${at}.${key}`, parents, depth + 1);
    }
  }
  parents.pop();
}
