import { ParameterKind, type Parameter } from "../gen/ingenium/control/v1/apps_pb.js";
import type { ParameterValue } from "../gen/ingenium/control/v1/common_pb.js";

type Kind = ParameterValue["kind"];

/** A value as a form has it. */
export function textOf(value: { kind: Kind } | undefined): string {
  if (value?.kind.case === undefined) return "";
  return String(value.kind.value);
}

/** What is wrong with a text for a parameter; empty if nothing is. */
export function faultOf(parameter: Parameter, text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return parameter.defaultValue === undefined ? "has to be given" : "";
  switch (parameter.kind) {
    case ParameterKind.INTEGER:
      if (!/^[+-]?\d+$/.test(trimmed)) return "has to be a whole number";
      break;
    case ParameterKind.NUMBER:
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return "has to be a number";
      break;
    case ParameterKind.CHOICE:
      return parameter.choices.includes(trimmed) ? "" : `has to be one of ${parameter.choices.join(", ")}`;
    case ParameterKind.TEXT:
      return trimmed.length > 200 ? "has at most 200 characters" : "";
    default:
      return "";
  }
  const value = Number(trimmed);
  if (parameter.minimum !== undefined && value < parameter.minimum) return `has to be at least ${parameter.minimum}`;
  if (parameter.maximum !== undefined && value > parameter.maximum) return `has to be at most ${parameter.maximum}`;
  return "";
}

/** The typed value of a text without fault; undefined for the default. */
export function valueOf(parameter: Parameter, text: string): { kind: Kind } | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  switch (parameter.kind) {
    case ParameterKind.INTEGER:
      return { kind: { case: "integer", value: BigInt(trimmed) } };
    case ParameterKind.NUMBER:
      return { kind: { case: "number", value: Number(trimmed) } };
    case ParameterKind.BOOLEAN:
      return { kind: { case: "boolean", value: trimmed === "true" } };
    default:
      return { kind: { case: "text", value: trimmed } };
  }
}

/** "1 to 200 days". */
export function rangeOf(parameter: Parameter): string {
  const { minimum, maximum, unit } = parameter;
  const range =
    minimum !== undefined && maximum !== undefined
      ? `${minimum} to ${maximum}`
      : minimum !== undefined
        ? `at least ${minimum}`
        : maximum !== undefined
          ? `at most ${maximum}`
          : "";
  return [range, unit].filter(Boolean).join(" ");
}

/** The values of a sweep: "5, 10, 20" or "5..20" or "5..20 by 5"; undefined if it is neither. */
export function series(text: string): string[] | undefined {
  const found: string[] = [];
  for (const part of text.split(",").map((each) => each.trim()).filter(Boolean)) {
    const range = /^(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)(?:\s+by\s+(\d+(?:\.\d+)?))?$/.exec(part);
    if (!range) {
      found.push(part);
      continue;
    }
    const [, first = "", last = "", by = "1"] = range;
    // In whole steps of the finest digit, so that 0.1 + 0.2 is 0.3.
    const places = Math.max(...[first, last, by].map((each) => (each.split(".")[1] ?? "").length));
    const unit = 10 ** places;
    const [from, to, step] = [first, last, by].map((each) => Math.round(Number(each) * unit)) as [number, number, number];
    if (step <= 0 || to < from || (to - from) / step > 1_000) return undefined;
    for (let value = from; value <= to; value += step) found.push((value / unit).toFixed(places));
  }
  return found;
}
