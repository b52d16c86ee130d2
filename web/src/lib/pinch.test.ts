import { describe, expect, it } from "vitest";
import { pinched } from "./pinch.js";

describe("two fingers on a chart", () => {
  it("show half as much when they move twice as far apart", () => {
    expect(pinched([0, 100], [0.25, 0.75], [0, 1], [0, 100])).toEqual([25, 75]);
  });
  it("move the range when both move", () => {
    expect(pinched([40, 60], [0.4, 0.6], [0.5, 0.7], [0, 100])).toEqual([38, 58]);
  });
  it("never leave the data", () => {
    expect(pinched([0, 50], [0.2, 0.4], [0.6, 0.8], [0, 100])[0]).toBe(0);
    expect(pinched([40, 60], [0.1, 0.9], [0.25, 0.35], [0, 100])).toEqual([0, 100]);
  });
});
