/**
 * `deno task nightly`: what takes hours. Every test with its largest numbers and the coverage that they reach, histories
 * and programs of seeds that follow from the date, all mutants, a short bench. A step that fails does not end the others.
 */
const DAY = Math.floor(Date.now() / 86_400_000);

const STEPS: readonly (readonly string[])[] = [
  ["coverage"],
  ["sim", "--minutes=30"],
  ["differential", "--operations=20000", `--seed=${DAY}`],
  ["mutants"],
  ["bench", "--quick"],
];

const failed: string[] = [];
for (const step of STEPS) {
  const line = `deno task ${step.join(" ")}`;
  console.log(`\n$ ${line}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["task", ...step],
    env: { HOLDFAST_EFFORT: "nightly", HOLDFAST_STORM_SEED: String(DAY) },
    stdin: "null",
  }).spawn().status;
  if (!success) failed.push(line);
}
console.log(failed.length === 0 ? "\nAll succeeded" : `\nFailed:\n${failed.join("\n")}`);
Deno.exit(failed.length === 0 ? 0 : 1);
