import { describe, expect, it } from "vitest";
import { candlesOf } from "./candles.js";

const bar = (second: number) => ({ time: BigInt(second) * 1_000_000_000n, open: "1", high: "3", low: "0.5", close: "2", volume: "7" });

describe("candles", () => {
  it("have nothing where bars are missing", () => {
    const { candles, volumes, step } = candlesOf([bar(60), bar(120), bar(180), bar(360)]);
    expect(step).toBe(60);
    expect(candles.map((each) => each.time)).toEqual([60, 120, 180, 240, 300, 360]);
    expect(candles.map((each) => "open" in each)).toEqual([true, true, true, false, false, true]);
    expect(volumes).toHaveLength(4);
  });
  it("are one for each time at most", () => {
    expect(candlesOf([bar(60), bar(60), bar(61)]).candles.map((each) => each.time)).toEqual([60, 61]);
  });
});
