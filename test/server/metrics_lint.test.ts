/**
 * /metrics keeps the rules of Prometheus for names and for its text format, as `promtool check metrics` has them, whatever types are
 * called.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { claimOne, withApp } from "./fixture.ts";

const HOSTILE = ["other", 'quo"te', "back\\slash", 'a,b="c"}', "constructor", "\u202ex"];

interface Family {
  readonly help: number;
  readonly type: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: string;
}

Deno.test("/metrics breaks no rule, also with types that are called by hostile names", () =>
  withApp(async ({ app, queue }) => {
    const many = Array.from({ length: 250 }, (_, n) => ({ type: `t${n}` }));
    await queue.enqueueBatch([...many, ...HOSTILE.flatMap((type) => [{ type }, { type }])]);
    await queue.setLimit({ type: 'quo"te' }, { concurrency: 1 });
    await queue.pause({}, { reason: "lint" });
    await queue.resume({});
    await queue.complete(await claimOne(queue, "other"));
    const text = await (await app.request("/metrics")).text();
    assertEquals(problemsOf(text), []);
    const others = text.match(/^holdfast_tasks\{type="other",status="completed"\} .*$/gm);
    assertEquals(others, ['holdfast_tasks{type="other",status="completed"} 1']);
    assertMatch(text, /^holdfast_run_seconds_bucket\{type="other",le="\+Inf"\} 1$/m);
    const types = new Set(text.match(/(?<=^holdfast_transitions_total\{type=")[^"]*(?=",)/gm));
    assertEquals([types.size > 190, types.size <= 200], [true, true]);
    const escaped = ['quo\\"te', "back\\\\slash", 'a,b=\\"c\\"}'];
    const known = escaped.map((type) =>
      text.includes(`holdfast_tasks{type="${type}",status="queued"} 2\n`)
    );
    assertEquals(known, escaped.map(() => true));
  }));

const whyNoPromtool = await whyNoProgram("promtool");

/** A program that is not there is an error of the call itself. */
async function whyNoProgram(name: string): Promise<string | undefined> {
  try {
    await new Deno.Command(name, { args: ["--version"] }).output();
    return undefined;
  } catch {
    return `no ${name} here`;
  }
}

Deno.test({
  name: `promtool finds nothing in /metrics${whyNoPromtool ? ` (skipped: ${whyNoPromtool})` : ""}`,
  ignore: whyNoPromtool !== undefined,
  fn: () =>
    withApp(async ({ app, queue }) => {
      await queue.enqueueBatch([...HOSTILE, "a", "b"].map((type) => ({ type })));
      await queue.complete(await claimOne(queue, "a"));
      await queue.fail(await claimOne(queue, "b"), "broken");
      await queue.setLimit({ type: "a" }, { concurrency: 1 });
      const lint = new Deno.Command("promtool", {
        args: ["check", "metrics"],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      await (await app.request("/metrics")).body!.pipeTo(lint.stdin);
      const { code, stdout, stderr } = await lint.output();
      const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
      assertEquals([code, said], [0, ""]);
    }),
});

Deno.test("the rules find what breaks them", () => {
  const family = (name: string, type: string, ...samples: string[]): string =>
    [`# HELP ${name} Help`, `# TYPE ${name} ${type}`, ...samples, ""].join("\n");
  const found = (text: string): string => problemsOf(text).join("; ");
  assertEquals(found(family("a_seconds", "gauge", "a_seconds 1")), "");
  assertEquals(found(family("a", "counter", "a 1")), "a: a counter ends in _total");
  assertEquals(
    found(family("a_total", "gauge", "a_total 1")),
    "a_total: only a counter ends in _total",
  );
  assertEquals(found(family("a_ms", "gauge", "a_ms 1")), "a_ms: its unit is not a base unit");
  assertEquals(found(family("a", "gauge", 'a{b="1"} 1', 'a{b="1"} 2')), 'a{b="1"} is there twice');
  assertEquals(found(family("a", "gauge", 'a{b="1"2"} 1')), 'a: a{b="1"2"} 1 is no sample');
  assertEquals(found(family("a", "gauge", "b 1")), "a: b is no sample of it");
  const quantile = 'a{quantile="0.5"} 1';
  assertEquals(found(family("a", "summary", quantile)), "");
  assertEquals(found(family("a", "gauge", quantile)), "a: only a summary has quantiles");
  assertEquals(found(family("a", "gauge", 'a{le="1"} 1')), "a: only a histogram has buckets");
  const buckets = (...counts: number[]): string[] => {
    const [first, all, count] = counts;
    return [
      `a_bucket{b="1",le="1"} ${first}`,
      `a_bucket{b="1",le="+Inf"} ${all}`,
      `a_count{b="1"} ${count}`,
    ];
  };
  const sum = 'a_sum{b="1"} 2';
  assertEquals(found(family("a", "histogram", ...buckets(1, 2, 2), sum)), "");
  assertEquals(found(family("a", "histogram", ...buckets(1, 2, 2))), 'a{b="1"} has no sum');
  assertEquals(
    found(family("a", "histogram", ...buckets(3, 2, 2), sum)),
    'a{b="1"}: its buckets do not rise',
  );
  assertEquals(
    found(family("a", "histogram", ...buckets(1, 2, 3), sum)),
    'a{b="1"}: its last bucket is not its count',
  );
  assertEquals(found("# TYPE a gauge\na 1\n"), "a has 0 lines of help");
  assertEquals(found(family("a", "gauge", "a 1").trimEnd()), "the last line does not end");
});

/** What a text breaks. */
function problemsOf(text: string): string[] {
  const problems = text.endsWith("\n") ? [] : ["the last line does not end"];
  const series = new Set<string>();
  for (const [name, family] of familiesOf(text, problems)) {
    problems.push(...namingProblems(name, family), ...histogramProblems(name, family));
    for (const sample of family.samples) {
      const id = sample.name + sample.labels;
      if (!namesOf(name, family).includes(sample.name)) {
        problems.push(`${name}: ${sample.name} is no sample of it`);
      }
      if (series.has(id)) problems.push(`${id} is there twice`);
      series.add(id);
    }
  }
  return problems;
}

function namingProblems(name: string, { help, type, samples }: Family): string[] {
  const isTotal = name.endsWith("_total");
  return [
    ...help === 1 ? [] : [`${name} has ${help} lines of help`],
    ...["counter", "gauge", "histogram", "summary"].includes(type)
      ? []
      : [`${name}: its type is ${type}`],
    ...type === "counter" && !isTotal ? [`${name}: a counter ends in _total`] : [],
    ...type !== "counter" && isTotal ? [`${name}: only a counter ends in _total`] : [],
    ...type !== "counter" && /_(bucket|count|sum)$/.test(name)
      ? [`${name}: a reserved ending`]
      : [],
    ...type !== "summary" && samples.some(({ labels }) => /[{,]quantile="/.test(labels))
      ? [`${name}: only a summary has quantiles`]
      : [],
    ...type !== "histogram" && samples.some(({ labels }) => /[{,]le="/.test(labels))
      ? [`${name}: only a histogram has buckets`]
      : [],
    ...isBase(name) ? [] : [`${name}: its unit is not a base unit`],
    ...name === name.toLowerCase() ? [] : [`${name} is not in lower case`],
  ];
}

function namesOf(name: string, { type }: Family): string[] {
  return type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name];
}

/** Buckets rise to `+Inf`, which is the count; each has its sum. */
function histogramProblems(name: string, { type, samples }: Family): string[] {
  if (type !== "histogram") return [];
  const valueOf = (end: string, labels: string): number | undefined => {
    const found = samples.find((sample) => sample.name === name + end && sample.labels === labels);
    return found && Number(found.value);
  };
  const series = new Map<string, [le: number, count: number][]>();
  for (const { name: sampleName, labels, value } of samples) {
    if (sampleName !== `${name}_bucket`) continue;
    const [, rest, le] = /^(.*),le="([^"]+)"\}$/.exec(labels) ?? [, labels, "none"];
    const of = `${rest}}`;
    series.set(of, [...series.get(of) ?? [], [
      le === "+Inf" ? Infinity : Number(le),
      Number(value),
    ]]);
  }
  return [...series].flatMap(([labels, buckets]) => {
    const isRising = buckets.every(([le, count], at) => {
      const [before, less] = buckets[at - 1] ?? [-Infinity, 0];
      return le > before && count >= less;
    });
    const [le, count] = buckets.at(-1)!;
    const isWhole = le === Infinity && count === valueOf("_count", labels);
    return [
      ...isRising ? [] : [`${name}${labels}: its buckets do not rise`],
      ...isWhole ? [] : [`${name}${labels}: its last bucket is not its count`],
      ...valueOf("_sum", labels) === undefined ? [`${name}${labels} has no sum`] : [],
    ];
  });
}

function isBase(name: string): boolean {
  return !/_(ms|milliseconds|minutes|hours|days|kilobytes|megabytes|percent)(_|$)/.test(name);
}

/** The families in a text: each is in one piece and has its type once. */
function familiesOf(text: string, problems: string[]): Map<string, Family> {
  const families = new Map<string, Family>();
  let helped: string | undefined;
  let current = "";
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const [, what, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (what === "HELP") helped = name!;
    else if (what === "TYPE") {
      if (families.has(name!)) problems.push(`${name} has its type twice`);
      current = name!;
      families.set(current, { help: helped === current ? 1 : 0, type: rest!, samples: [] });
    } else addSample(families.get(current), { line, current, problems });
  }
  return families;
}

function addSample(
  family: Family | undefined,
  { line, current, problems }: {
    readonly line: string;
    readonly current: string;
    readonly problems: string[];
  },
): void {
  const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
  const sample = new RegExp(`^([a-z_:]+)((?:\\{${label}(?:,${label})*\\})?) (\\S+)$`);
  const [, name, labels, value] = sample.exec(line) ?? [];
  const isSample = name !== undefined && Number.isFinite(Number(value));
  if (!isSample || family === undefined) problems.push(`${current}: ${line} is no sample`);
  else (family.samples as Sample[]).push({ name, labels: labels!, value: value! });
}
