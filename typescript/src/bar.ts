import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { fromJson, toJson } from "@bufbuild/protobuf";

import type { DataEvent } from "./gen/ingenium/v1/events_pb.js";

/** The market data of one symbol over one length of time. */
export interface Bar {
  /** The symbol as the component asked for it. */
  symbol: string;
  /**
   * The first price; like the other numbers for indicators, and NaN where the sender left it out.
   * The exact texts are in `event`.
   */
  open: number;
  high: number;
  low: number;
  /** The last price, which is always there. */
  close: number;
  volume: number;
  /** When the bar was known; absent when the sender did not say so. */
  time?: Timestamp;
  /** The length of the bar in seconds; absent when the sender did not state one of fixed length. */
  periodSeconds?: number;
  /** What arrived. */
  event: DataEvent;
}

/** Reads the bar of an event; the error says what cannot be read. */
export function barOf(event: DataEvent, symbol = event.symbol): Bar {
  const ohlc = event.ohlc;
  const number = (name: string, text = ""): number => {
    if (text === "" && name !== "Close") {
      return NaN;
    }
    try {
      return parseDecimal(text);
    } catch (error) {
      throw new Error(`DataEvent.Ohlc.${name} of ${event.symbol}: ${(error as Error).message}`);
    }
  };
  const time = parseTime(event.timestamp);
  const periodSeconds = parsePeriod(ohlc?.period ?? "");
  return {
    symbol,
    open: number("Open", ohlc?.open),
    high: number("High", ohlc?.high),
    low: number("Low", ohlc?.low),
    close: number("Close", ohlc?.close),
    volume: number("Volume", ohlc?.volume),
    ...(time && { time }),
    ...(periodSeconds && { periodSeconds }),
    event,
  };
}

/** Reads a price or quantity; an exponent is taken, infinity is not. */
export function parseDecimal(text: string): number {
  const isDecimal = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$/.test(text);
  if (!isDecimal || !Number.isFinite(Number(text))) {
    throw new Error(`expected a decimal number, found '${text}'`);
  }
  return Number(text);
}

/** Writes a number as the format has it: plainly, never with an exponent. */
export function formatDecimal(value: number): string {
  if (!Number.isFinite(value)) {
    throw new Error(`${value} is no price or quantity: it has to be finite`);
  }
  const [digits = "", exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole = "", part = ""] = digits.split(".");
  const places = Number(exponent);
  const sign = value < 0 ? "-" : "";
  if (places >= 0) {
    const moved = part.slice(0, places).padEnd(places, "0");
    const rest = part.slice(places);
    return `${sign}${whole}${moved}${rest && `.${rest}`}`;
  }
  return `${sign}0.${"0".repeat(-places - 1)}${whole}${part}`;
}

const SECONDS: Record<string, number> = {
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/**
 * Reads the length of a bar in seconds, such as "5m" or "1d", which is how the Python SDK writes it;
 * `undefined` for other texts and for months, which differ in length.
 */
export function parsePeriod(text: string): number | undefined {
  const found = /^([1-9][0-9]{0,8})(us|ms|s|m|h|d|w)$/.exec(text);
  return found ? Number(found[1]) * (SECONDS[found[2] ?? ""] ?? NaN) : undefined;
}

/** Reads RFC 3339; a time without a zone is UTC, and year 1 is how Go writes that there is none. */
export function parseTime(text: string): Timestamp | undefined {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.startsWith("0001-01-01")) {
    return undefined;
  }
  for (const tried of [trimmed, `${trimmed.replace(" ", "T")}Z`]) {
    try {
      return fromJson(TimestampSchema, tried);
    } catch {
      // The next form.
    }
  }
  return undefined;
}

/** Writes RFC 3339 without zeros at the end of the fraction. */
export function formatTime(time: Timestamp): string {
  return toJson(TimestampSchema, time).replace(/(\.\d*?)0*Z$/, "$1Z").replace(".Z", "Z");
}
