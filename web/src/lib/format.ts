import { isDecimal, plain, round, scale, signOf } from "./decimal.js";

export const UNKNOWN = "–";
const MINUS = "\u2212";

/** Between thousands: what the locale has, a thin space where it has a space. */
export function separatorOf(locale: string | undefined): string {
  const part = new Intl.NumberFormat(locale, { useGrouping: "always" })
    .formatToParts(1234567)
    .find((each) => each.type === "group")?.value;
  if (part === undefined) return "\u202f";
  return /\s/.test(part) ? "\u202f" : part;
}

export function pointOf(locale: string | undefined): string {
  return new Intl.NumberFormat(locale).formatToParts(1.5).find((each) => each.type === "decimal")?.value ?? ".";
}

const locale = typeof navigator === "undefined" ? "en-US" : navigator.language;
const SEPARATOR = separatorOf(locale);
const POINT = pointOf(locale);

function grouped(digits: string, separator: string, point: string): string {
  const [whole = "", fraction] = digits.split(".");
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, separator);
  return fraction === undefined ? groups : groups + point + fraction;
}

/** Write a decimal string for reading; every digit of it is kept, and zeros are filled up to `places`. */
export function decimal(text: string | undefined, places = 0, separator = SEPARATOR, point = POINT): string {
  if (text === undefined || text === "") return UNKNOWN;
  if (!isDecimal(text)) return text;
  const written = plain(text, places);
  const negative = written.startsWith("-");
  return (negative ? MINUS : "") + grouped(negative ? written.slice(1) : written, separator, point);
}

export const money = (text: string | undefined): string => decimal(text, 2);

/** A change: with its sign, so that nothing rests on colour alone. */
export function signed(text: string | undefined, places = 2): string {
  const written = decimal(text, places);
  return text !== undefined && signOf(text) > 0 ? "+" + written : written;
}

/** A ratio ("0.0123") as "1.23 %". */
export function percent(ratio: string | undefined, places = 2): string {
  if (ratio === undefined || ratio === "" || !isDecimal(ratio)) return UNKNOWN;
  return decimal(round(scale(ratio, 2), places), places) + "\u202f%";
}

export function count(value: number | bigint): string {
  return grouped(value.toString().replace("-", MINUS), SEPARATOR, POINT);
}

/** A rate per second: three digits at most. */
export function rate(value: number): string {
  if (value === 0) return "0/s";
  if (value < 0.095) return `${count(Math.round(value * 60 * 10) / 10)}/min`;
  return `${value < 10 ? value.toFixed(1) : count(Math.round(value))}/s`;
}

/** A duration, in the unit in which one reads it. */
export function duration(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const sign = milliseconds < 0 ? MINUS : "";
  if (size === 0) return "0\u202fms";
  if (size < 1) return `${sign}${size.toFixed(2)}\u202fms`;
  if (size < 1000) return `${sign}${size < 10 ? size.toFixed(1) : Math.round(size)}\u202fms`;
  const seconds = size / 1000;
  if (seconds < 60) return `${sign}${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)}\u202fs`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${minutes}\u202fmin ${Math.round(seconds % 60)}\u202fs`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${sign}${hours}\u202fh ${minutes % 60}\u202fmin`;
  return `${sign}${Math.floor(hours / 24)}\u202fd ${hours % 24}\u202fh`;
}

/** Keep both ends of an id; the whole of it is copied, and shown on hover. */
export function middle(text: string, length = 14): string {
  if (text.length <= length) return text;
  const kept = length - 1;
  return text.slice(0, Math.ceil(kept / 2)) + "…" + text.slice(text.length - Math.floor(kept / 2));
}

/** A figure as the command line prints it, with the signs of the page: the digits stay as they are. */
export function printed(text: string): string {
  if (text === "-" || text === "") return UNKNOWN;
  return text.replace(/(^|[\s(])-(?=\d)/g, `$1${MINUS}`).replace(/(\d)\s?%/g, "$1\u202f%");
}

// The kinds of figures, as `ingenium.backtest.formatting` has them.
const PERCENTS = new Set(["total_return", "cagr", "volatility", "max_drawdown", "exposure", "win_rate", "benchmark_return", "benchmark_max_drawdown", "alpha"]);
const COUNTS = new Set(["trades", "longest_losing_streak", "fills", "ambiguous_fills", "uncapped_fills", "rejected_orders", "periods_per_year"]);
const SECONDS = new Set(["longest_drawdown", "average_holding"]);

const fixed = (value: number, places: number): string => {
  const text = value.toFixed(places);
  // What is rounded to zero has no sign.
  return decimal(/[1-9]/.test(text) ? text : text.replace("-", ""), places);
};

/** A raw figure of a run (0.0454460000000001) as the report prints it, by its name. */
export function figure(name: string, value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (PERCENTS.has(name)) return `${fixed(value * 100, 2)}\u202f%`;
  if (SECONDS.has(name)) return `${fixed(value / 86_400, 1)} days`;
  return fixed(value, COUNTS.has(name) ? 0 : 2);
}

/** The name of a figure for reading: "max_drawdown" as "max drawdown". */
export const figureName = (name: string): string =>
  name.replaceAll("_", " ").replace(/^(cagr|sqn)$/, (short) => short.toUpperCase()).replace(/^(sharpe|sortino|calmar)$/, (named) => named.charAt(0).toUpperCase() + named.slice(1));

/** Bytes, to three digits. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  if (size < 1e6) return `${(size / 1e3).toFixed(1)} kB`;
  return `${(size / 1e6).toFixed(1)} MB`;
}
