/**
 * A neighbour in a process of its own: `test/process/programs/neighbour.ts`, one command and one answer a line.
 */
import { Program } from "../process/support.ts";
import type { Command, GivenWork, Neighbour, NeighbourName, View } from "./neighbour.ts";

/** Asks one thing after the other. */
export class RemoteNeighbour implements Neighbour {
  readonly #program: Program;
  /** How many lines it has reported so far: that it is ready, and the answers. */
  #reports = 1;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async open(name: NeighbourName, path: string): Promise<RemoteNeighbour> {
    const program = new Program("neighbour", name, path);
    await program.report("ready");
    return new RemoteNeighbour(program);
  }

  start(runIds: readonly string[], work: GivenWork, cancels: boolean): Promise<boolean | null> {
    return this.#ask(["start", runIds, work, cancels]);
  }

  schedule(isLater: boolean): Promise<number> {
    return this.#ask(["schedule", isLater]);
  }

  open(runId: string): Promise<void> {
    return this.#ask(["open", runId]);
  }

  cancel(runId: string): Promise<boolean> {
    return this.#ask(["cancel", runId]);
  }

  reopen(isForgetful: boolean): Promise<void> {
    return this.#ask(["reopen", isForgetful]);
  }

  look(): Promise<View> {
    return this.#ask(["look"]);
  }

  /** Its process ends by itself and without a complaint. */
  async close(): Promise<void> {
    await using program = this.#program;
    await program.stop();
  }

  /** The program's answers are those of a `LocalNeighbour` to the same command. */
  async #ask<Answer>(command: Command): Promise<Answer> {
    const index = this.#reports++;
    await this.#program.say(JSON.stringify(command));
    const find = () => this.#program.everyReport[index];
    const line = await this.#program.until(find, `an answer to ${command[0]}`);
    if (line.kind !== "answered") throw new Error(`Cannot ${command[0]}: ${JSON.stringify(line)}`);
    return line.answer as Answer;
  }
}
