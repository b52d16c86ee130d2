import { UNKNOWN } from "./format.js";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      fractionalSecondDigits: 3,
      timeZoneName: "shortOffset",
    });
    formats.set(zone, found);
  }
  return found;
}

export interface Clock {
  readonly date: string;
  readonly time: string;
  readonly milliseconds: string;
  readonly offset: string;
}

/** A moment (milliseconds since 1970) on the clock of a zone. */
export function onClock(ms: number, zone: string): Clock {
  const parts = new Map(format(zone).formatToParts(ms).map((part) => [part.type as string, part.value]));
  const get = (name: string) => parts.get(name) ?? "";
  return {
    date: `${get("year")}-${get("month")}-${get("day")}`,
    time: `${get("hour")}:${get("minute")}:${get("second")}`,
    milliseconds: get("fractionalSecond"),
    offset: get("timeZoneName").replace("GMT", "UTC").replace(/^UTC[+-]0$/, "UTC"),
  };
}

/** "2026-11-30 18:04:05.123 UTC"; the milliseconds are left out where they are zero. */
export function absolute(ms: number | undefined, zone: string): string {
  if (ms === undefined || !Number.isFinite(ms)) return UNKNOWN;
  const clock = onClock(ms, zone);
  const fraction = clock.milliseconds === "000" ? "" : "." + clock.milliseconds;
  return `${clock.date} ${clock.time}${fraction} ${clock.offset}`;
}

export function relative(ms: number, now: number): string {
  const seconds = Math.round((now - ms) / 1000);
  const size = Math.abs(seconds);
  const [value, unit] =
    size < 60
      ? [size, "s"]
      : size < 3600
        ? [Math.floor(size / 60), "min"]
        : size < 172_800
          ? [Math.floor(size / 3600), "h"]
          : [Math.floor(size / 86_400), "d"];
  return seconds >= 0 ? `${value} ${unit} ago` : `in ${value} ${unit}`;
}

export function isZone(name: string): boolean {
  try {
    format(name);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds of nanoseconds since 1970; undefined for 0, which is the wire's "not known". */
export function ofNanoseconds(ns: bigint): number | undefined {
  return ns === 0n ? undefined : Number(ns / 1000n) / 1000;
}
