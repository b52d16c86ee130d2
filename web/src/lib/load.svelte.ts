import { problemOf, type Problem } from "./client.js";

/** An answer of the server: nothing yet, a value, or a problem. An old value stays until a new one is there. */
export class Load<T> {
  value = $state.raw<T>();
  problem = $state.raw<Problem>();
  busy = $state(false);
  #call: AbortController | undefined;

  /** Ask; what was asked before and is not answered yet is given up. */
  async ask(call: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#call?.abort();
    const mine = new AbortController();
    this.#call = mine;
    this.busy = true;
    try {
      const value = await call(mine.signal);
      if (mine.signal.aborted) return;
      this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (mine.signal.aborted) return;
      this.problem = problemOf(error);
    } finally {
      if (!mine.signal.aborted) this.busy = false;
    }
  }

  /** Forget, as for another subject. */
  clear(): void {
    this.#call?.abort();
    this.value = undefined;
    this.problem = undefined;
    this.busy = false;
  }
}
