import { describe, expect, it } from "vitest";
import { add, compare, plain, round, scale, signOf, subtract } from "./decimal.js";
import { decimal, duration, figure, figureName, middle, percent, printed, rate, separatorOf, signed } from "./format.js";
import { absolute, isZone, ofNanoseconds, relative } from "./times.js";

describe("decimal strings", () => {
  it("keeps digits that a float has not", () => {
    expect(add("9007199254740993.01", "0.02")).toBe("9007199254740993.03");
    expect(subtract("0.3", "0.1")).toBe("0.2");
    expect(add("-0.05", "0.05")).toBe("0.00");
  });
  it("compares by value", () => {
    expect(compare("1.10", "1.1")).toBe(0);
    expect(compare("-2", "1")).toBe(-1);
    expect(signOf("-0.00")).toBe(0);
  });
  it("refuses what is no number", () => {
    expect(() => add("1", "NaN")).toThrow('not a decimal: "NaN"');
  });
  it("rounds halves to even, also below zero", () => {
    expect(round("0.125", 2)).toBe("0.12");
    expect(round("0.135", 2)).toBe("0.14");
    expect(round("-2.5", 0)).toBe("-2");
    expect(round("7", 2)).toBe("7.00");
  });
  it("scales and writes exponents out", () => {
    expect(scale("0.0123", 2)).toBe("1.23");
    expect(scale("12", 2)).toBe("1200");
    expect(plain("1e-8")).toBe("0.00000001");
    expect(plain("1.50E+3", 2)).toBe("1500.00");
  });
});

describe("figures", () => {
  it("groups by the separator it was given and keeps every digit", () => {
    expect(decimal("-12345678.9", 2, ",", ".")).toBe("\u221212,345,678.90");
    expect(decimal("1234.56789012", 2, "\u202f", ",")).toBe("1\u202f234,56789012");
    expect(decimal("", 2)).toBe("–");
  });
  it("has a thin space where a locale has a space", () => {
    expect(separatorOf("fr-FR")).toBe("\u202f");
    expect(separatorOf("en-US")).toBe(",");
  });
  it("shows the sign of a gain", () => {
    expect(signed("5")).toBe("+5.00");
    expect(signed("-5")).toBe("\u22125.00");
    expect(signed("0")).toBe("0.00");
  });
  it("has percentages of ratios", () => {
    expect(percent("0.01235")).toBe("1.24\u202f%");
    expect(percent("NaN")).toBe("–");
  });
  it("has rates and durations in readable units", () => {
    expect(rate(0.05)).toBe("3/min");
    expect(rate(12.4)).toBe("12/s");
    expect(duration(0)).toBe("0\u202fms");
    expect(duration(0.034)).toBe("0.03\u202fms");
    expect(duration(61_000)).toBe("1\u202fmin 1\u202fs");
    expect(duration(90 * 3_600_000)).toBe("3\u202fd 18\u202fh");
  });
  it("writes raw figures of a run as the report does", () => {
    expect(figure("final_equity", 100649.79999999999)).toBe("100,649.80");
    expect(figure("total_return", 0.0454460000000001)).toBe("4.54\u202f%");
    expect(figure("max_drawdown", -0.0006770329444037992)).toBe("\u22120.07\u202f%");
    expect(figure("beta", -0.00032427226972119613)).toBe("0.00");
    expect(figure("longest_drawdown", 4406400)).toBe("51.0 days");
    expect(figure("trades", 1218)).toBe("1,218");
    expect(figure("sharpe", undefined)).toBe("–");
    expect(figureName("max_drawdown")).toBe("max drawdown");
  });
  it("keeps the digits of the command line", () => {
    expect(printed("-0.08%")).toBe("\u22120.08\u202f%");
    expect(printed("-")).toBe("–");
    expect(printed("412.10, -69.80")).toBe("412.10, \u221269.80");
    expect(printed("2015-01-01 to 2019-10-03")).toBe("2015-01-01 to 2019-10-03");
  });
  it("shortens ids in the middle", () => {
    expect(middle("0123456789abcdef0123", 11)).toBe("01234…f0123");
    expect(middle("short")).toBe("short");
  });
});

describe("times", () => {
  it("is absolute with the zone", () => {
    const at = Date.UTC(2026, 6, 1, 13, 30, 0, 250);
    expect(absolute(at, "UTC")).toBe("2026-07-01 13:30:00.250 UTC");
    expect(absolute(at, "America/New_York")).toBe("2026-07-01 09:30:00.250 UTC-4");
  });
  it("is relative on request", () => {
    expect(relative(0, 61_000)).toBe("1 min ago");
    expect(relative(5_000, 0)).toBe("in 5 s");
  });
  it("knows zones and unknown times", () => {
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("Mars/Olympus")).toBe(false);
    expect(ofNanoseconds(0n)).toBeUndefined();
    expect(ofNanoseconds(1_500_000n)).toBe(1.5);
  });
});
