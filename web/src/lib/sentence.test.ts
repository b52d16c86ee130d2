import { describe, expect, it } from "vitest";
import { hasPart, nanoseconds, parse, startOfDay, toggle } from "./sentence.js";

const NOW = Date.UTC(2026, 10, 30, 18, 0, 0);

describe("filters as sentences", () => {
  it("knows symbol, side, denials and range", () => {
    expect(parse("AAPL, sells, denied, last week", NOW, "UTC")).toEqual({
      symbol: "AAPL",
      side: "sell",
      isDenied: true,
      order: "",
      since: NOW - 7 * 86_400_000,
    });
  });
  it("has days of the chosen zone", () => {
    expect(parse("today", NOW, "America/New_York")).toMatchObject({
      since: Date.UTC(2026, 10, 30, 5),
      until: Date.UTC(2026, 11, 1, 5),
    });
    expect(parse("2026-11-30", NOW, "UTC").until).toBe(Date.UTC(2026, 11, 1));
    expect(parse("until 2026-11-29", NOW, "UTC").until).toBe(Date.UTC(2026, 10, 30));
    // A day of a list in UTC, in whatever zone the page is.
    expect(parse("2026-11-30 UTC", NOW, "America/New_York")).toMatchObject({ since: Date.UTC(2026, 10, 30), until: Date.UTC(2026, 11, 1) });
    expect(parse("yesterday", NOW, "UTC")).toMatchObject({ since: Date.UTC(2026, 10, 29), until: Date.UTC(2026, 10, 30) });
  });
  it("finds midnight on days on which the clock is changed", () => {
    expect(startOfDay("2026-03-29", "Europe/Berlin")).toBe(Date.UTC(2026, 2, 28, 23));
    expect(startOfDay("2026-03-30", "Europe/Berlin")).toBe(Date.UTC(2026, 2, 29, 22));
    expect(startOfDay("2026-11-31", "UTC")).toBeUndefined();
  });
  it("takes what it does not know for a symbol", () => {
    expect(parse("BRK.B", NOW, "UTC").symbol).toBe("BRK.B");
    expect(parse("symbol today", NOW, "UTC")).toMatchObject({ symbol: "today" });
    expect(parse("order o-1", NOW, "UTC").order).toBe("o-1");
  });
  it("adds and takes out parts", () => {
    expect(toggle("AAPL", "sells")).toBe("AAPL, sells");
    expect(toggle("AAPL, Sells", "sells")).toBe("AAPL");
    expect(hasPart("AAPL, sells", "sells")).toBe(true);
  });
  it("has whole nanoseconds", () => {
    expect(nanoseconds(1_700_000_000_123)).toBe(1_700_000_000_123_000_000n);
  });
});
