/** Two fingers zoom and move the x axis of a chart; one finger is left to the page. */
export interface Axis {
  /** The range that is shown now. */
  range: () => readonly [number, number] | undefined;
  /** All of the data. */
  whole: () => readonly [number, number] | undefined;
  show: (from: number, to: number) => void;
}

/** The range after two fingers have moved from one pair of places to another, as parts of the width. */
export function pinched(range: readonly [number, number], before: readonly [number, number], now: readonly [number, number], whole: readonly [number, number]): [number, number] {
  const span = range[1] - range[0];
  const spread = Math.max(Math.abs(now[1] - now[0]), 0.02);
  const next = Math.min((span * Math.max(Math.abs(before[1] - before[0]), 0.02)) / spread, whole[1] - whole[0]);
  // What was under the middle of the fingers stays there.
  const held = range[0] + (span * (before[0] + before[1])) / 2;
  const from = Math.min(Math.max(held - (next * (now[0] + now[1])) / 2, whole[0]), whole[1] - next);
  return [from, from + next];
}

export function pinch(node: HTMLElement, axis: Axis) {
  let start: { range: readonly [number, number]; places: readonly [number, number] } | undefined;

  const placesOf = (touches: TouchList): readonly [number, number] => {
    const box = node.getBoundingClientRect();
    const [first, second] = [touches[0], touches[1]].map((touch) => ((touch?.clientX ?? 0) - box.left) / box.width) as [number, number];
    return first <= second ? [first, second] : [second, first];
  };
  function ontouchstart(event: TouchEvent) {
    const range = axis.range();
    start = event.touches.length === 2 && range ? { range, places: placesOf(event.touches) } : undefined;
    if (start) event.preventDefault();
  }
  function ontouchmove(event: TouchEvent) {
    const whole = axis.whole();
    if (!start || event.touches.length !== 2 || !whole) return;
    event.preventDefault();
    axis.show(...pinched(start.range, start.places, placesOf(event.touches), whole));
  }
  function ontouchend() {
    start = undefined;
  }
  node.addEventListener("touchstart", ontouchstart, { passive: false });
  node.addEventListener("touchmove", ontouchmove, { passive: false });
  node.addEventListener("touchend", ontouchend);
  node.addEventListener("touchcancel", ontouchend);
  return {
    destroy() {
      node.removeEventListener("touchstart", ontouchstart);
      node.removeEventListener("touchmove", ontouchmove);
      node.removeEventListener("touchend", ontouchend);
      node.removeEventListener("touchcancel", ontouchend);
    },
  };
}
