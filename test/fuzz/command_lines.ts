/**
 * Command lines to fuzz with: built from the real commands and options, with values between valid and rubbish.
 */
import { fileURLToPath } from "node:url";
import { Chance, NASTY_TEXTS } from "./chance.ts";

const HANDLERS = fileURLToPath(new URL("./fuzz_handlers.ts", import.meta.url));

/** A command line, and what it finds around it. */
export interface FuzzCommand {
  readonly seed: number;
  readonly args: readonly string[];
  /** What standard input holds. */
  readonly input: string;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
}

/** Where a command line works. Nothing outside this folder may be made. */
export interface FuzzPlaces {
  readonly folder: string;
  /** The queue that most commands use. */
  readonly db: string;
}

type Maker = (chance: Chance, places: FuzzPlaces) => string;

const TYPES = ["echo", "broken", "flaky", "odd", "mute", "strict.number", "nobody handles it"];
const ID_TEXTS = [
  "1",
  "2",
  "3",
  "run:r1",
  "r1",
  "run:1",
  "run:",
  "0",
  "999",
  "99999999999999999999",
];

const text: Maker = (chance) => chance.pick([...NASTY_TEXTS, chance.text()]);
const among = (...values: string[]): Maker => (chance, places) =>
  chance.oneIn(8) ? text(chance, places) : chance.pick(values);

/** Each command's options and how their values are made; `null` for a flag. */
const TASK_OPTIONS: Readonly<Record<string, Maker | null>> = {
  "--payload": (chance) =>
    chance.choose(
      () => JSON.stringify(chance.json()),
      () => '{"n":1}',
      () => "[".repeat(100_000) + "]".repeat(100_000),
      () => '{"__proto__":{"polluted":true}}',
      () => chance.text(),
    ),
  "--payload-file": among("-", "/nonexistent"),
  "--priority": among("1", "100", "1000", "0", "1001"),
  "--run-after": among(
    "+1s",
    "+0ms",
    "2030-01-01T00:00:00Z",
    "+99999999999999d",
    "2026-02-30T00:00:00Z",
  ),
  "--key": among("k1", "k2", ""),
  "--max-attempts": among("1", "2", "100", "101"),
  "--run-id": among("r1", "r2", "r3", "1"),
};

const COMMANDS: Readonly<Record<string, Readonly<Record<string, Maker | null>>>> = {
  serve: {
    "--host": among("127.0.0.1", "localhost", "0.0.0.0"),
    "--port": among("0", "65536", "-1"),
    "--handlers": among(HANDLERS, "/nonexistent.ts"),
    "--no-worker": null,
  },
  worker: {
    "--handlers": among(HANDLERS, HANDLERS, HANDLERS, "/nonexistent.ts"),
    "--concurrency": among("1", "4", "1000", "0", "1001"),
    "--strategy": among("fifo", "lifo", "priority", "weighted_random"),
    "--worker-id": among("w1"),
    "--until-empty": null,
    "--lease-ms": among("100", "10000", "99", "86400001"),
  },
  enqueue: { ...TASK_OPTIONS, "--batch": among("-", "/nonexistent") },
  run: { ...TASK_OPTIONS, "--handlers": among(HANDLERS, HANDLERS, HANDLERS, "/nonexistent.ts") },
  list: {
    "--status": among("queued", "leased", "completed", "failed", "cancelled"),
    "--type": among(...TYPES),
    "--limit": among("1", "100", "1000", "0", "1001"),
  },
  show: {},
  cancel: {},
  retry: {},
  logs: { "-f": null, "--follow": null },
  stats: { "--interval": among("200ms", "1h", "1ms", "soon") },
  explain: {},
  transitions: {},
  workers: {},
  health: {},
  version: {},
  checkpoint: {},
};

const TAKE_AN_ID: readonly string[] = [
  "show",
  "cancel",
  "retry",
  "logs",
  "explain",
  "transitions",
];

/** The names of all commands. */
export const COMMAND_NAMES = Object.keys(COMMANDS);

/** The command line of a seed. */
export function commandOf(seed: number, places: FuzzPlaces): FuzzCommand {
  const chance = new Chance(seed);
  const name = chance.oneIn(3) ? chance.pick(["enqueue", "run"]) : chance.pick(COMMAND_NAMES);
  const words = [...positionals(chance, name, places), ...options(chance, name, places)];
  const args = [
    ...(chance.oneIn(3) ? ["--json"] : []),
    ...(chance.oneIn(6) ? [`--db=${otherDb(chance, places)}`] : []),
    chance.oneIn(25) ? chance.text() : name,
    ...(name === "serve" && !chance.oneIn(10) ? ["--port=0"] : []),
    ...(chance.oneIn(6) ? bend(chance, words) : words),
  ];
  return {
    seed,
    args,
    input: inputOf(chance, args),
    outIsTerminal: chance.oneIn(3),
    errIsTerminal: chance.oneIn(3),
  };
}

/** A command line as text. */
export function describe({ seed, args, input }: FuzzCommand): string {
  return JSON.stringify({ seed, args: args.map(clip), input: clip(input) });
}

function clip(long: string): string {
  return long.length <= 300 ? long : `${long.slice(0, 300)}… (${long.length} characters)`;
}

function positionals(chance: Chance, name: string, places: FuzzPlaces): string[] {
  const type = (): string => among(...TYPES)(chance, places);
  const id = (): string => among(...ID_TEXTS)(chance, places);
  if (chance.oneIn(15)) return chance.some(3, () => chance.oneIn(2) ? id() : type());
  if (name === "run") return [type()];
  if (name === "enqueue") return chance.oneIn(4) ? [] : [type()];
  return TAKE_AN_ID.includes(name) ? [id()] : [];
}

/** Mostly the command's own options, sometimes another's; at most once a value of its own kind. */
function options(chance: Chance, name: string, places: FuzzPlaces): string[] {
  const own = COMMANDS[name]!;
  const required = name === "worker" && !chance.oneIn(5) ? [`--handlers=${HANDLERS}`] : [];
  const chosen = chance.some(3, () => {
    const from = chance.oneIn(8) ? COMMANDS[chance.pick(COMMAND_NAMES)]! : own;
    const entries = Object.entries(from);
    if (entries.length === 0 || chance.oneIn(20)) {
      return [chance.pick(["--help", "-h", "--", "-x"])];
    }
    const [option, maker] = chance.pick(entries);
    if (maker === null) return [option];
    const value = maker(chance, places);
    return chance.oneIn(2) ? [`${option}=${value}`] : [option, value];
  });
  return [...required, ...chosen.flat()];
}

/** The words in another order, with one left out, doubled or made up. */
function bend(chance: Chance, words: readonly string[]): string[] {
  const at = chance.below(words.length + 1);
  return chance.choose(
    () => words.toReversed(),
    () => [...words.slice(0, at), ...words.slice(at + 1)],
    () => [...words.slice(0, at), ...words.slice(Math.max(0, at - 1))],
    () => [...words.slice(0, at), chance.text(), ...words.slice(at)],
    () => [...words, "--db"], // last, so that no other word becomes a path
  );
}

/** Places that are no queue, or a new one; all of them in the folder. */
function otherDb(chance: Chance, { folder, db }: FuzzPlaces): string {
  return chance.pick([
    ...[
      "",
      " ",
      folder,
      `${db}/below`,
      `${folder}/not a database.txt/below`,
      `${folder}/not a database.txt`,
      `${folder}/a\u0000b`,
    ],
    ...[
      `${folder}/${"x".repeat(300)}`,
      `${folder}/new ${chance.below(3)}/é.db`,
      `${folder}/other.db`,
    ],
  ]);
}

function inputOf(chance: Chance, args: readonly string[]): string {
  const isBatch = args.some((word) => word.startsWith("--batch"));
  if (!isBatch) return chance.oneIn(2) ? JSON.stringify(chance.json()) : chance.text();
  return chance.some(5, () =>
    chance.choose(
      () => JSON.stringify({ type: chance.pick(TYPES) }),
      () => JSON.stringify({ type: chance.pick(TYPES), payload: chance.json(), priority: 5 }),
      () => JSON.stringify(chance.bendObject({ type: "echo", idempotency_key: "k", run_id: "r9" })),
      () => '{"type":"echo","__proto__":1}',
      () => `{"type":"echo","payload":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      () => chance.pick(["", "null", "[]", "{", "\u0000"]),
    )).join(chance.pick(["\n", "\r\n"]));
}
