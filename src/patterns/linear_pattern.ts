/**
 * Linear patterns: JavaScript's regular expressions (flag u), matched in time proportional to the text's length.
 *
 * The engine of JavaScript tries one way after the other, which for `(a+)+b` and thirty letters takes years, and nothing else
 * runs meanwhile. Here all ways are followed at once (an automaton without memory), so what needs memory, look-around and
 * back-references, is refused.
 */

/** How large the automaton of a pattern may be, in states: what one character of a string costs at most. */
export const PATTERN_STATES_MAX = 2000;

/** A state: what must be so to go on, and where to. */
type State =
  | {
    readonly kind: "character";
    readonly fits: (character: string) => boolean;
    readonly next: number;
  }
  | { readonly kind: "place"; readonly holds: (place: Place) => boolean; readonly next: number }
  | { readonly kind: "either"; readonly next: readonly number[] }
  | { readonly kind: "end" };

/** Between two characters: those on both sides, or nothing at an end of the text. */
interface Place {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

type Node =
  | { readonly kind: "character"; readonly fits: (character: string) => boolean }
  | { readonly kind: "place"; readonly holds: (place: Place) => boolean }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "either"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly min: number; readonly max: number };

/** A pattern that the whole of a string must match. */
export class LinearPattern {
  readonly #states: readonly State[];
  readonly #start: number;

  /** @throws SyntaxError when `source` is not a regular expression; TypeError when it cannot be matched in linear time. */
  constructor(source: string) {
    new RegExp(source, "u");
    const automaton = new Automaton(new Parser(source).parse());
    this.#states = automaton.states;
    this.#start = automaton.start;
  }

  /** Whether all of `text` matches. */
  test(text: string): boolean {
    const characters = [...text];
    let current = this.#reached([this.#start], { before: undefined, after: characters[0] });
    for (const [index, character] of characters.entries()) {
      const next: number[] = [];
      for (const id of current) {
        const state = this.#states[id]!;
        if (state.kind === "character" && state.fits(character)) next.push(state.next);
      }
      if (next.length === 0) return false;
      current = this.#reached(next, { before: character, after: characters[index + 1] });
    }
    return [...current].some((id) => this.#states[id]!.kind === "end");
  }

  /** These states, and those that are reached from them without a character. */
  #reached(from: readonly number[], place: Place): Set<number> {
    const reached = new Set<number>();
    const open = [...from];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (reached.has(id)) continue;
      reached.add(id);
      const state = this.#states[id]!;
      if (state.kind === "either") open.push(...state.next);
      if (state.kind === "place" && state.holds(place)) open.push(state.next);
    }
    return reached;
  }
}

/** The states of a pattern. */
class Automaton {
  readonly states: State[] = [];
  readonly start: number;
  #steps = 0;

  constructor(pattern: Node) {
    this.start = this.#add(pattern, this.#push({ kind: "end" }));
  }

  #push(state: State): number {
    if (this.states.length >= PATTERN_STATES_MAX) throw tooLarge();
    return this.states.push(state) - 1;
  }

  /** Adds the states that lead through `node` to the state `next`, and gives the first of them. */
  #add(node: Node, next: number): number {
    // A repetition of nothing makes no states.
    if (++this.#steps > 10 * PATTERN_STATES_MAX) throw tooLarge();
    switch (node.kind) {
      case "character":
      case "place":
        return this.#push({ ...node, next });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.#add(part, after), next);
      case "either":
        return this.#push({
          kind: "either",
          next: node.parts.map((part) => this.#add(part, next)),
        });
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, min, max }: Extract<Node, { kind: "repeat" }>, next: number): number {
    let first = next;
    if (max === Infinity) {
      const ways: number[] = [];
      first = this.#push({ kind: "either", next: ways });
      ways.push(this.#add(part, first), next);
    } else {
      for (let n = min; n < max; n++) {
        first = this.#push({ kind: "either", next: [this.#add(part, first), next] });
      }
    }
    for (let n = 0; n < min; n++) first = this.#add(part, first);
    return first;
  }
}

function tooLarge(): TypeError {
  return new TypeError(`its repetitions make more than ${PATTERN_STATES_MAX} states`);
}

/** What a quantifier is, at the place where it stands. */
const QUANTIFIER = /([*+?]|\{(\d+)(,?)(\d*)\})\??/y;

/** One character, or a class of characters, at the place where it stands. */
const CHARACTER =
  /\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|\\u\{[^}]*\}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\c[A-Za-z]|\\[pP]\{[^}]*\}|\[(?:\\.|[^\]\\])*\]|\\?./suy;

/** What opens a group that is like any other. */
const GROUP = /\((?:\?:|\?<[^=!>][^>]*>|(?!\?))/suy;

/** Reads a pattern that JavaScript has found to be one. */
class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0]! : { kind: "either", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !this.#isAt("|") && !this.#isAt(")")) {
      parts.push(this.#quantified(this.#part()));
    }
    return { kind: "sequence", parts };
  }

  #part(): Node {
    if (this.#isAt("(")) return this.#group();
    for (const [text, holds] of PLACES) if (this.#take(text)) return { kind: "place", holds };
    const text = this.#match(CHARACTER)![0];
    if (/^\\[1-9k]/.test(text)) throw needsMemory();
    if (!/^(?:\\|\[|\.$)/.test(text)) return { kind: "character", fits: (found) => found === text };
    const one = new RegExp(`^${text}$`, "u");
    return { kind: "character", fits: (found) => one.test(found) };
  }

  #group(): Node {
    if (this.#match(GROUP) === null) throw needsMemory();
    const inner = this.parse();
    this.#take(")");
    return inner;
  }

  #quantified(part: Node): Node {
    const found = this.#match(QUANTIFIER);
    if (found === null) return part;
    const [, sign, least, comma, most] = found;
    const [min, max] = least === undefined ? SIGNS[sign!]! : [
      Number(least),
      comma === "" ? Number(least) : most === "" ? Infinity : Number(most),
    ];
    return { kind: "repeat", part, min, max };
  }

  #isAt(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const isThere = this.#isAt(text);
    if (isThere) this.#at += text.length;
    return isThere;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (found !== null) this.#at += found[0].length;
    return found;
  }
}

const SIGNS: Readonly<Record<string, readonly [number, number]>> = {
  "*": [0, Infinity],
  "+": [1, Infinity],
  "?": [0, 1],
};

const PLACES: readonly (readonly [string, (place: Place) => boolean])[] = [
  ["^", ({ before }) => before === undefined],
  ["$", ({ after }) => after === undefined],
  ["\\b", ({ before, after }) => isOfWord(before) !== isOfWord(after)],
  ["\\B", ({ before, after }) => isOfWord(before) === isOfWord(after)],
];

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character);
}

function needsMemory(): TypeError {
  return new TypeError(
    "look-around, back-references and modifiers are not possible: matching them may take for ever",
  );
}
