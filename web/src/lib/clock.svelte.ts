/** The server's time, and a tick for whatever shows an age. */
const state = $state({ now: Date.now(), skew: 0 });
setInterval(() => (state.now = Date.now()), 500);

export const clock = {
  /** Milliseconds since 1970 by the server's clock. */
  get now(): number {
    return state.now + state.skew;
  },
};

/** Take the server's clock for the truth: the skew is the least delayed of what came. */
export function setServerTime(ms: number): void {
  const skew = ms - Date.now();
  if (state.skew === 0 || skew > state.skew || state.skew - skew > 2_000) state.skew = skew;
}
