/**
 * One of two managers on one queue: `neighbour.ts NAME QUEUE`. Does what each line of its input says, one after the other, and
 * reports `answered`. Closes its manager when the input ends.
 */
import { type Command, LocalNeighbour, type NeighbourName } from "../../differential/neighbour.ts";
import { linesOfInput, report } from "./program.ts";

const [name, path] = Deno.args;
const neighbour = await LocalNeighbour.open(name as NeighbourName, path!);
report({ kind: "ready" });
for await (const line of linesOfInput()) {
  const [command, ...args] = JSON.parse(line) as Command;
  const answer: unknown = await Reflect.apply(neighbour[command], neighbour, args);
  report({ kind: "answered", answer: answer ?? null });
}
await neighbour.close();
