/** Milliseconds before the next attempt: half a second, doubled up to five, a fifth of it by chance. */
export function retryDelay(attempt: number, chance: number = Math.random()): number {
  const delay = Math.min(500 * 2 ** Math.min(attempt, 10), 5_000);
  return delay * (0.9 + 0.2 * chance);
}
