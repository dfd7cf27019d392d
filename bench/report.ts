/**
 * The report: figures as a table for a terminal, as Markdown, and as JSON.
 */
import Table from "cli-table3";
import { type Figure, median, number, YARDSTICK } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Reached } from "./reach.ts";

/** Everything that a run found. */
export interface Report {
  readonly machine: Machine;
  /** How it was called. */
  readonly command: string;
  readonly figures: readonly Figure[];
  readonly reach: readonly Reached[];
}

type Row = readonly string[];

interface TableText {
  readonly title: string;
  readonly head: Row;
  readonly rows: readonly Row[];
  /** How many columns at the left hold words. */
  readonly words: number;
}

/** For a terminal. */
export function asText(report: Report): string {
  return tablesOf(report).map(({ title, head, rows, words }) => {
    const colAligns = head.map((_, column) => column < words ? "left" as const : "right" as const);
    const table = new Table({
      head: [...head],
      colAligns,
      style: { head: [], border: [], compact: true },
    });
    for (const row of rows) table.push([...row]);
    return `${title}\n${table.toString()}`;
  }).join("\n\n");
}

/** For a file that people read. */
export function asMarkdown(report: Report, notes: string): string {
  const tables = tablesOf(report).map(({ title, head, rows, words }) => {
    const line = head.map((_, column) => column < words ? "---" : "--:");
    const lines = [head, line, ...rows].map((row) => `| ${row.join(" | ")} |`);
    return `## ${title}\n\n${lines.join("\n")}`;
  });
  const { machine, command } = report;
  const where = Object.entries(machine).map(([what, found]) => `- ${what}: ${found}`).join("\n");
  const intro = `# Results\n\nWritten by \`${command}\`; do not edit.\n\n${where}`;
  return `${[intro, notes, ...tables].join("\n\n")}\n`;
}

function tablesOf({ figures, reach }: Report): readonly TableText[] {
  const speeds = figures.filter(({ samples }) => samples === undefined);
  const others = figures.filter(({ samples }) => samples !== undefined);
  const tables = [
    { title: "Speed", words: 3, head: SPEED_HEAD, rows: speeds.map((f) => speedRow(f, figures)) },
    { title: "Other figures", words: 3, head: OTHER_HEAD, rows: others.map(otherRow) },
    { title: "Reach", words: 1, head: REACH_HEAD, rows: reach.map(reachRow) },
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

const SPEED_HEAD: Row = [
  "work",
  "contender",
  "survives",
  "tasks/s, median",
  "min – max",
  "p50 ms",
  "p95 ms",
  "p99 ms",
  "CPU µs/task",
  "fsyncs/task",
  `vs ${YARDSTICK}`,
];

const OTHER_HEAD: Row = ["what", "of", "survives", "median", "min – max", "unit"];

const REACH_HEAD: Row = ["figure", "at least", "aim", "measured", "verdict"];

function speedRow(figure: Figure, all: readonly Figure[]): Row {
  const { work, contender, survives, perSecond, latencyMs, cpuUsPerTask, syncsPerTask } = figure;
  return [
    work,
    contender,
    survives,
    perSecond === undefined ? "" : number(median(perSecond)),
    perSecond === undefined ? "" : spread(perSecond),
    ...[latencyMs?.p50, latencyMs?.p95, latencyMs?.p99].map((ms) =>
      ms === undefined ? "" : number(ms)
    ),
    cpuUsPerTask === undefined ? "" : number(median(cpuUsPerTask)),
    syncsPerTask === undefined ? "" : syncsPerTask === null ? "?" : syncsPerTask.toFixed(3),
    ratioToYardstick(figure, all),
  ];
}

function ratioToYardstick({ work, perSecond }: Figure, all: readonly Figure[]): string {
  const yardstick = all.find((other) => other.work === work && other.contender === YARDSTICK);
  if (perSecond === undefined || yardstick?.perSecond === undefined) return "";
  return `${(median(perSecond) / median(yardstick.perSecond)).toFixed(2)}×`;
}

function otherRow({ work, contender, survives, samples, unit }: Figure): Row {
  return [work, contender, survives, number(median(samples!)), spread(samples!), unit ?? ""];
}

function reachRow({ figure, atLeast, aim, measured, verdict }: Reached): Row {
  return [figure, atLeast, aim, measured, verdict];
}

function spread(values: readonly number[]): string {
  return `${number(Math.min(...values))} – ${number(Math.max(...values))}`;
}
