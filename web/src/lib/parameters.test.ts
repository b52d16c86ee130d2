import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ParameterKind, ParameterSchema } from "../gen/ingenium/control/v1/apps_pb.js";
import { faultOf, rangeOf, series, valueOf } from "./parameters.js";

const fast = create(ParameterSchema, { name: "fast", kind: ParameterKind.INTEGER, minimum: 1, maximum: 200, unit: "days" });

describe("parameters", () => {
  it("have faults that name the bound", () => {
    expect(faultOf(fast, "0")).toBe("has to be at least 1");
    expect(faultOf(fast, "201")).toBe("has to be at most 200");
    expect(faultOf(fast, "2.5")).toBe("has to be a whole number");
    expect(faultOf(fast, "")).toBe("has to be given");
    expect(faultOf(fast, "200")).toBe("");
  });
  it("become typed values", () => {
    expect(valueOf(fast, "12")).toEqual({ kind: { case: "integer", value: 12n } });
    expect(valueOf(fast, " ")).toBeUndefined();
    expect(rangeOf(fast)).toBe("1 to 200 days");
  });
});

describe("values of a sweep", () => {
  it("are lists and ranges", () => {
    expect(series("5, 10")).toEqual(["5", "10"]);
    expect(series("2..4")).toEqual(["2", "3", "4"]);
    expect(series("0.1..0.3 by 0.1")).toEqual(["0.1", "0.2", "0.3"]);
    expect(series("4..2")).toBeUndefined();
  });
});
