import { problemOf, type Problem } from "./client.js";

export interface Piece<T> {
  readonly rows: readonly T[];
  readonly total: number;
  readonly notes?: readonly string[];
}

/** Rows of a long list, loaded piece by piece where they are looked at; pieces that are far away are dropped. */
export class Paged<T> {
  total = $state(0);
  problem = $state.raw<Problem>();
  busy = $state(true);
  notes = $state.raw<readonly string[]>([]);
  #pieces = $state.raw<ReadonlyMap<number, readonly T[]>>(new Map());
  #asked = new Map<number, AbortController>();
  #call: ((skip: number, size: number, signal: AbortSignal) => Promise<Piece<T>>) | undefined;
  #generation = 0;

  constructor(
    readonly size = 200,
    readonly kept = 12,
  ) {}

  /** Begin again with another question. What is shown stays until the first answer. */
  start(call: (skip: number, size: number, signal: AbortSignal) => Promise<Piece<T>>): void {
    for (const each of this.#asked.values()) each.abort();
    this.#asked.clear();
    this.#call = call;
    this.#generation += 1;
    this.busy = true;
    void this.#load(0, true);
  }

  row = (at: number): T | undefined => this.#pieces.get(Math.floor(at / this.size))?.[at % this.size];

  look = (first: number, last: number): void => {
    for (let piece = Math.floor(first / this.size); piece <= Math.floor(Math.max(first, last - 1) / this.size); piece += 1)
      if (!this.#pieces.has(piece) && !this.#asked.has(piece)) void this.#load(piece, false);
  };

  async #load(piece: number, isFirst: boolean): Promise<void> {
    const call = this.#call;
    if (!call) return;
    const generation = this.#generation;
    const control = new AbortController();
    this.#asked.set(piece, control);
    try {
      const answer = await call(piece * this.size, this.size, control.signal);
      if (generation !== this.#generation) return;
      const next = isFirst ? new Map<number, readonly T[]>() : new Map(this.#pieces);
      next.set(piece, answer.rows);
      while (next.size > this.kept) {
        const furthest = [...next.keys()].reduce((a, b) => (Math.abs(a - piece) >= Math.abs(b - piece) ? a : b));
        next.delete(furthest);
      }
      this.#pieces = next;
      // The length is that of the first answer: rows do not slide while one reads.
      if (isFirst || answer.total > this.total) this.total = answer.total;
      this.notes = answer.notes ?? [];
      this.problem = undefined;
    } catch (error) {
      if (generation !== this.#generation || control.signal.aborted) return;
      this.problem = problemOf(error);
    } finally {
      if (generation === this.#generation) {
        this.#asked.delete(piece);
        this.busy = false;
      }
    }
  }
}
