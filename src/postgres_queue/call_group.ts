/**
 * Call groups: calls of one kind that arrive while others are on their way to the server go there together, in one statement.
 *
 * A call that finds nothing under way leaves at the end of the current turn, so a caller alone waits for nobody.
 */

/** How many calls one statement takes at most, and how many such statements a process has under way. */
export const GROUP = { sizeMax: 500, groupsMax: 2 } as const;

/** How a group works. */
export interface CallGroupOptions<Request, Result> {
  /** Does all of these; a result for each, in their order. */
  readonly run: (requests: readonly Request[]) => Promise<readonly Promise<Result>[]>;
  /** Calls with the same key do not go together; default none have one. */
  readonly keyOf?: (request: Request) => unknown;
  /** How many go together at most. */
  readonly sizeMax: number;
  /** How many groups are on their way at the same time at most. */
  readonly groupsMax: number;
}

interface Call<Request, Result> {
  readonly request: Request;
  readonly resolve: (result: Promise<Result>) => void;
  readonly reject: (error: unknown) => void;
}

/** Gathers calls of one kind. */
export class CallGroup<Request, Result> {
  readonly #options: CallGroupOptions<Request, Result>;
  #waiting: Call<Request, Result>[] = [];
  #underWay = 0;
  #isLeaving = false;

  constructor(options: CallGroupOptions<Request, Result>) {
    this.#options = options;
  }

  /** Joins the next group; the result for this request. */
  call(request: Request): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#leaveSoon();
    });
  }

  #leaveSoon(): void {
    if (this.#isLeaving || this.#underWay >= this.#options.groupsMax) return;
    this.#isLeaving = true;
    queueMicrotask(() => {
      this.#isLeaving = false;
      if (this.#waiting.length > 0) this.#leave();
    });
  }

  #leave(): void {
    const group = this.#take();
    this.#underWay++;
    this.#run(group).finally(() => {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#leaveSoon();
    });
    if (this.#waiting.length > 0) this.#leaveSoon();
  }

  async #run(group: readonly Call<Request, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(group.map(({ request }) => request));
      group.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  /** The first that wait, without a second one of any key. */
  #take(): readonly Call<Request, Result>[] {
    const { keyOf, sizeMax } = this.#options;
    const keys = new Set<unknown>();
    const group: Call<Request, Result>[] = [];
    const left: Call<Request, Result>[] = [];
    for (const call of this.#waiting) {
      const key = keyOf?.(call.request);
      const fits = group.length < sizeMax && (key === undefined || !keys.has(key));
      (fits ? group : left).push(call);
      if (fits && key !== undefined) keys.add(key);
    }
    this.#waiting = left;
    return group;
  }
}
