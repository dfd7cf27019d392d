/**
 * Command lines to fuzz with: built from the program's own commands and options, with values between valid and rubbish.
 *
 * An option or an argument that nobody knows values for here is an error at once, so that none is left out.
 */
import { fileURLToPath } from "node:url";
import type { Program } from "../../cli/app.ts";
import { createProgram } from "../../cli/main.ts";
import { capturedIo } from "../cli/cli_harness.ts";
import { Chance, NASTY_TEXTS } from "./chance.ts";

const HANDLERS = fileURLToPath(new URL("./fuzz_handlers.ts", import.meta.url));

/** A command line, and what it finds around it. */
export interface FuzzCommand {
  readonly seed: number;
  /** The command that it is, unless its name was bent. */
  readonly name: string;
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
const IDS = [
  ...["1", "2", "3", "4", "2", "3", "4", "waiting", "run:r1", "r1", "run:1", "run:", "0"],
  ...["999", "99999999999999999999", "nightly", "hourly"],
];

const text: Maker = (chance) => chance.pick([...NASTY_TEXTS, chance.text()]);
const among = (...values: readonly string[]): Maker => (chance, places) =>
  chance.oneIn(8) ? text(chance, places) : chance.pick(values);

/** A file that is there, rarely what is wanted, or one that is not. */
const fileToRead: Maker = (chance, { folder }) =>
  `${folder}/${
    chance.pick([
      ...["a backup", "a backup", "tasks.ndjson", "tasks.ndjson", "worker.toml", "tokens.txt"],
      ...["not a database.txt", "nothing here", "queue.db"],
    ])
  }`;

/** A file to write: one that is there already, or in a folder that is not, now and then. */
const fileToWrite: Maker = (chance, { folder }) =>
  `${folder}/${
    chance.oneIn(3)
      ? chance.pick(["a backup", "tasks.ndjson", "no folder/x", "x".repeat(300), "queue.db", ""])
      : `written ${chance.below(1000)}`
  }`;

const json: Maker = (chance) =>
  chance.choose(
    () => JSON.stringify(chance.json()),
    () => '{"n":1}',
    () => "[".repeat(100_000) + "]".repeat(100_000),
    () => '{"__proto__":{"polluted":true}}',
    () => chance.text(),
  );
const handlers = among(HANDLERS, HANDLERS, HANDLERS, "/nonexistent.ts");
const webhooks = among("http://127.0.0.1:1/x", "https://hooks.example.com/", "ftp://h/");

/** How the values of options are made, those with choices apart. */
const OPTION_VALUES: Readonly<Record<string, Maker>> = {
  "--host": among("127.0.0.1", "localhost", "0.0.0.0"),
  "--port": among("0", "65536", "-1"),
  "--handlers": handlers,
  "--modules": fileToRead,
  "--config": fileToRead,
  "--tokens": fileToRead,
  "--cors-origin": among("http://localhost:5173", "*", "null"),
  "--webhook-allowed-hosts": among("127.0.0.1", "*", "[::1]:80"),
  "--webhook-secret-file": fileToRead,
  "--webhook-timeout-ms": among("100", "60000", "99"),
  "--concurrency": among("1", "4", "1000", "0", "1001"),
  "--rate": among("100/1m", "5/1s", "1/366d", "0/1s", "5/0s", "5", "x/1m", "5/1s/1"),
  "--burst": among("1", "5", "6", "0", "1000001"),
  "--weight": among("1", "0.01", "100", "0", "101", "heavy"),
  "--worker-id": among("w1"),
  "--lease-ms": among("100", "10000", "99", "86400001"),
  "--capabilities": json,
  "--payload": json,
  "--payload-file": among("-", "/nonexistent"),
  "--priority": among("1", "100", "1000", "0", "1001"),
  "--run-after": among(
    ...["+1s", "+0ms", "2030-01-01T00:00:00Z", "+99999999999999d", "2026-02-30T00:00:00Z"],
  ),
  "--expires-at": among("+1m", "+0ms", "2030-01-01T00:00:00Z", "soon"),
  "--expires-in": among("1m", "0ms", "400d"),
  "--unique-key": among("u1", "u2", ""),
  "--unique-window": among("1s", "1m", "0ms", "400d"),
  "--ordering-key": among("o1", "o2", ""),
  "--unique-max-wait": among("1m", "1ms", "400d"),
  "--key": among("k1", "k2", ""),
  "--retention": among("30d", "failed:1d,keep:5", "none", "30", "keep:-1"),
  "--memory-max": among("64M", "1.25G", "1K", "2G"),
  "--log-max": among("64K", "1M", "1K", "2G"),
  "--compatibility": json,
  "--timeout": among("1s", "5m", "0ms", "400d"),
  "--max-attempts": among("1", "2", "100", "101"),
  "--retry-delay": among("0ms", "10s", "8d", "5"),
  "--retry-multiplier": among("1", "2.5", "100", "0.9", "1e2"),
  "--retry-max-delay": among("1s", "5m", "8d"),
  "--run-id": among("r1", "r2", "r3", "1"),
  "--depends-on": among(...IDS),
  "--webhook": webhooks,
  "--batch": among("-", "/nonexistent"),
  "--type": among(...TYPES),
  "--group": among("acme", "globex", "*", ""),
  "--tag": among("t1", "t2", "ü 🎬", "", "x".repeat(101)),
  "--limit": among("1", "100", "1000", "0", "1001"),
  "--cursor": among("1", "2", "9007199254740991", "0", "x", "text-1-2", "runs-0-r", "group-0-x"),
  "--interval": among("200ms", "1h", "1ms", "soon"),
  "--cron": among("30 2 * * *", "@daily", "0 0 29 2 *", "15 */2 * * * *", "61 * * * *"),
  "--time-zone": among("UTC", "Europe/Berlin", "Mars/Base"),
  "--every": among("1s", "5m", "2h", "1ms", "400d"),
  "--catch-up-max": among("1", "1000", "1001"),
  "--older-than": among("0ms", "1h", "30d", "1y"),
  "--keep": among("0", "1", "1000", "-1"),
  "--output": fileToWrite,
  "--from": (_, { db }) => db,
  "--to": fileToWrite,
  "--wait": among("0ms", "10m", "8d", "soon"),
  "--by": among("ops", "", "x".repeat(201)),
  "--reason": among("provider down", "", "x".repeat(501)),
  "--until": among("2126-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "soon"),
  "--ids": among("1", "2", "999", "x", "-1"),
  "--finished-before": among("2126-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "soon"),
  "--error": among("no", "", "x".repeat(501)),
  "--min-attempts": among("0", "1", "100", "101"),
  "--for": among("30m", "0ms", "99999999d"),
};

/** How arguments are made, those with choices apart. */
const ARGUMENT_VALUES: Readonly<Record<string, Maker>> = {
  id: among(...IDS),
  ids: among(...IDS),
  type: among(...TYPES),
  name: among("ops", "ann@example.com", "a b"),
  file: fileToRead,
  text: among("1", "#2", "run:1", "echo", "n"),
};

/** The same for the commands that mean something else by it. */
const OWN_ARGUMENT_VALUES: Readonly<Record<string, Maker>> = {
  "backup path": fileToWrite,
  "restore path": fileToRead,
};

/** What a command cannot do without, beside what the program requires. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  worker: [`--handlers=${HANDLERS}`],
  "schedule add": ["--cron=@daily"],
  prune: ["--keep=1"],
  move: ["--cancel"], // a queue that was moved would answer nothing else
  update: ["--priority=7"],
};

/** These write files where they are told to: no rubbish may come where a path belongs. */
const WRITERS = ["backup", "export", "repair", "move"];

interface OptionShape {
  readonly flag: string;
  /** `null` for a flag without a value. */
  readonly value: Maker | null;
  readonly isRequired: boolean;
}

interface CommandShape {
  readonly name: string;
  readonly arguments: readonly { readonly value: Maker; readonly isRequired: boolean }[];
  readonly options: readonly OptionShape[];
}

/** What a tree of commands is made of. */
type AnyCommand = Program["commands"][number];

const COMMANDS = leavesOf(createProgram(capturedIo().io, { run: () => Promise.resolve() }), []);

/** The names of all commands. */
export const COMMAND_NAMES = COMMANDS.map(({ name }) => name);

/** The command line of a seed: of the command `only`, or of any. */
export function commandOf(seed: number, places: FuzzPlaces, only?: string): FuzzCommand {
  const chance = new Chance(seed);
  const isTask = ({ name }: CommandShape): boolean => name === "enqueue" || name === "run";
  const command = only === undefined
    ? chance.pick(chance.oneIn(5) ? COMMANDS.filter(isTask) : COMMANDS)
    : COMMANDS.find(({ name }) => name === only)!;
  const words = [...argumentsOf(chance, command, places), ...optionsOf(chance, command, places)];
  const mayBend = !WRITERS.includes(command.name) && chance.oneIn(6);
  const args = [
    ...(chance.oneIn(3) ? ["--json"] : []),
    ...(chance.oneIn(8) ? [`--db=${otherDb(chance, places)}`] : []),
    ...(chance.oneIn(25) ? [`--url=${among("http://127.0.0.1:1", "x:")(chance, places)}`] : []),
    ...(chance.oneIn(25) ? [chance.text()] : command.name.split(" ")),
    ...(command.name === "serve" && !chance.oneIn(10) ? ["--port=0"] : []),
    ...(mayBend ? bend(chance, words) : words),
  ];
  return {
    seed,
    name: command.name,
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

function leavesOf(command: AnyCommand | Program, path: readonly string[]): CommandShape[] {
  if (command.commands.length > 0) {
    return command.commands.flatMap((below) => leavesOf(below, [...path, below.name()]));
  }
  const name = path.join(" ");
  return [{
    name,
    arguments: command.registeredArguments.map((argument) => ({
      isRequired: argument.required,
      value: makerOf(
        `${name} ${argument.name()}`,
        argument.argChoices,
        OWN_ARGUMENT_VALUES[`${name} ${argument.name()}`] ?? ARGUMENT_VALUES[argument.name()],
      ),
    })),
    options: command.options.map(({ long, required, mandatory, argChoices }) => ({
      flag: long!,
      value: required ? makerOf(`${name} ${long}`, argChoices, OPTION_VALUES[long!]) : null,
      isRequired: mandatory,
    })),
  }];
}

function makerOf(
  what: string,
  choices: readonly string[] | undefined,
  maker: Maker | undefined,
): Maker {
  if (choices !== undefined) return among(...choices);
  if (maker === undefined) throw new Error(`nobody knows values for ${what}`);
  return maker;
}

function argumentsOf(chance: Chance, command: CommandShape, places: FuzzPlaces): string[] {
  if (chance.oneIn(15) && !WRITERS.includes(command.name)) {
    return chance.some(3, () => chance.pick([...IDS, ...TYPES]));
  }
  return command.arguments.filter(({ isRequired }) => isRequired || !chance.oneIn(4))
    .map(({ value }) => value(chance, places));
}

/** Mostly the command's own options, sometimes another's; at most once a value of its own kind. */
function optionsOf(chance: Chance, command: CommandShape, places: FuzzPlaces): string[] {
  const word = ({ flag, value }: OptionShape): string[] => {
    if (value === null) return [flag];
    const made = value(chance, places);
    return chance.oneIn(2) ? [`${flag}=${made}`] : [flag, made];
  };
  const needed = chance.oneIn(8) ? [] : [
    ...command.options.filter(({ isRequired }) => isRequired).flatMap(word),
    ...(NEEDED[command.name] ?? []),
  ];
  const chosen = chance.some(3, () => {
    const { options } = chance.oneIn(12) ? chance.pick(COMMANDS) : command;
    if (options.length === 0 || chance.oneIn(20)) {
      return [chance.pick(["--help", "-h", "--", "-x"])];
    }
    return word(chance.pick(options));
  });
  return [...needed, ...chosen.flat()];
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

/** Places that are not queue, or a new one; all of them in the folder. */
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
