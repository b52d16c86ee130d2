import { describe, expect, it } from "vitest";
import { layOut, meets, type Part } from "./graph.js";

describe("subjects", () => {
  it("meet by the wildcards of NATS", () => {
    expect(meets("a.b", "a.b")).toBe(true);
    expect(meets("a.*", "a.b")).toBe(true);
    expect(meets("a.>", "a.b.c")).toBe(true);
    expect(meets("a.>", "a")).toBe(false);
    expect(meets("a.b", "a.b.c")).toBe(false);
    expect(meets("*.x", "a.*")).toBe(true);
  });
});

const parts: Part[] = [
  { name: "feed", role: "ingestor", reads: [], writes: ["d.>"] },
  { name: "sma", role: "strategy", reads: ["d.>"], writes: ["s"] },
  { name: "book", role: "portfolio", reads: ["s", "x", "d.>"], writes: ["o"] },
  { name: "paper", role: "executor", reads: ["o", "d.>"], writes: ["x"] },
];

describe("layout", () => {
  for (const isTall of [false, true])
    it(`draws every part once and no two over one another, ${isTall ? "tall" : "wide"}`, () => {
      const graph = layOut(parts, isTall);
      expect(graph.nodes.map((node) => node.label).sort()).toEqual(["book", "d.>", "feed", "o", "paper", "s", "sma", "x"]);
      for (const a of graph.nodes)
        for (const b of graph.nodes)
          if (a !== b) expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y, `${a.label} over ${b.label}`).toBe(true);
      for (const node of graph.nodes) {
        expect(node.x).toBeGreaterThanOrEqual(0);
        expect(node.x + node.width).toBeLessThanOrEqual(graph.width);
        expect(node.y + node.height).toBeLessThanOrEqual(graph.height);
      }
    });
  it("has a line for each subject that a part reads or writes", () => {
    const graph = layOut(parts, false);
    expect(graph.edges.filter((edge) => edge.isWrite)).toHaveLength(4);
    expect(graph.edges.filter((edge) => !edge.isWrite)).toHaveLength(6);
  });
});
