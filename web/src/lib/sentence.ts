/**
 * A filter as one says it: "ACME, sells, denied, last week".
 *
 * Parts stand between commas. What is no word of the list below is a symbol; `symbol today` is the
 * symbol of that name.
 */
import { onClock } from "./times.js";

export interface Filter {
  symbol: string;
  side: "" | "buy" | "sell";
  isDenied: boolean;
  order: string;
  /** Milliseconds since 1970. */
  since?: number;
  until?: number;
}

const DAY = 86_400_000;
const UNITS: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: DAY, week: 7 * DAY, month: 30 * DAY, year: 365 * DAY };

/** The first moment of a day, "2026-11-30", in a zone. */
export function startOfDay(day: string, zone: string): number | undefined {
  const guess = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(guess) || new Date(guess).toISOString().slice(0, 10) !== day) return undefined;
  // Twice, since the offset at the guess may be that of the other side of a change of the clock.
  let at = guess;
  for (let round = 0; round < 2; round += 1) {
    const there = onClock(at, zone);
    at += guess - Date.parse(`${there.date}T${there.time}Z`);
  }
  return at;
}

export const dayOf = (ms: number, zone: string): string => onClock(ms, zone).date;

const nextDay = (day: string): string => new Date(Date.parse(`${day}T00:00:00Z`) + DAY).toISOString().slice(0, 10);

export function parse(text: string, now: number, zone: string): Filter {
  const filter: Filter = { symbol: "", side: "", isDenied: false, order: "" };
  const today = dayOf(now, zone);
  const range = (first: string, after: string, place = zone) => {
    const since = startOfDay(first, place);
    const until = startOfDay(after, place);
    if (since !== undefined) filter.since = since;
    if (until !== undefined) filter.until = until;
  };
  for (const part of text.split(",").map((each) => each.trim()).filter(Boolean)) {
    const lower = part.toLowerCase().replace(/\s+/g, " ");
    const last = /^last (?:(\d+) )?(minute|hour|day|week|month|year)s?$/.exec(lower);
    const bound = /^(since|from|until|before|on)? ?(\d{4}-\d{2}-\d{2})( utc)?$/.exec(lower);
    const named = /^(symbol|order) (.+)$/i.exec(part);
    if (/^(buys?|bought)$/.test(lower)) filter.side = "buy";
    else if (/^(sells?|sold|sales)$/.test(lower)) filter.side = "sell";
    else if (/^(denied|denials?|denied orders)$/.test(lower)) filter.isDenied = true;
    else if (/^(fills?|filled|all)$/.test(lower)) filter.isDenied = false;
    else if (lower === "today") range(today, nextDay(today));
    else if (lower === "yesterday") range(dayOf((startOfDay(today, zone) ?? now) - DAY / 2, zone), today);
    else if (last) filter.since = now - Number(last[1] ?? 1) * (UNITS[last[2] as string] as number);
    else if (bound && startOfDay(bound[2] as string, zone) !== undefined) {
      const day = bound[2] as string;
      const place = bound[3] ? "UTC" : zone;
      if (bound[1] === "since" || bound[1] === "from") filter.since = startOfDay(day, place) as number;
      else if (bound[1] === "until") filter.until = startOfDay(nextDay(day), place) as number;
      else if (bound[1] === "before") filter.until = startOfDay(day, place) as number;
      else range(day, nextDay(day), place);
    } else if (named) {
      if ((named[1] as string).toLowerCase() === "order") filter.order = named[2] as string;
      else filter.symbol = named[2] as string;
    } else filter.symbol = part;
  }
  return filter;
}

/** The sentence with a part more, or with that part taken out if it is there. */
export function toggle(text: string, part: string): string {
  const parts = text.split(",").map((each) => each.trim()).filter(Boolean);
  const rest = parts.filter((each) => each.toLowerCase() !== part.toLowerCase());
  return (rest.length === parts.length ? [...parts, part] : rest).join(", ");
}

export const hasPart = (text: string, part: string): boolean =>
  text.split(",").some((each) => each.trim().toLowerCase() === part.toLowerCase());

export const nanoseconds = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;
