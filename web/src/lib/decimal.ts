/** Arithmetic on decimal strings as the wire has them; money never becomes a float. */

interface Parts {
  readonly units: bigint;
  readonly places: number;
}

const SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

function parse(text: string): Parts | null {
  const found = SHAPE.exec(text.trim());
  if (!found) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = found;
  if (whole + fraction === "") return null;
  const shift = fraction.length - Number(exponent);
  const units = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  return shift >= 0 ? { units, places: shift } : { units: units * 10n ** BigInt(-shift), places: 0 };
}

function aligned(a: string, b: string): [bigint, bigint, number] {
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) throw new TypeError(`not a decimal: ${JSON.stringify(left ? b : a)}`);
  const places = Math.max(left.places, right.places);
  return [
    left.units * 10n ** BigInt(places - left.places),
    right.units * 10n ** BigInt(places - right.places),
    places,
  ];
}

function write(units: bigint, places: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, "0");
  const cut = digits.length - places;
  return (units < 0n ? "-" : "") + digits.slice(0, cut) + (places > 0 ? "." + digits.slice(cut) : "");
}

export const isDecimal = (text: string): boolean => parse(text) !== null;

/** -1, 0 or 1; 0 for what is no number. */
export function signOf(text: string): -1 | 0 | 1 {
  const units = parse(text)?.units ?? 0n;
  return units < 0n ? -1 : units > 0n ? 1 : 0;
}

export function compare(a: string, b: string): number {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function add(a: string, b: string): string {
  const [left, right, places] = aligned(a, b);
  return write(left + right, places);
}

export function subtract(a: string, b: string): string {
  const [left, right, places] = aligned(a, b);
  return write(left - right, places);
}

export function absolute(text: string): string {
  const parts = parse(text);
  if (!parts) return text;
  return write(parts.units < 0n ? -parts.units : parts.units, parts.places);
}

/** Round to `places` digits after the point, halves to even, as the reports do. */
export function round(text: string, places: number): string {
  const parts = parse(text);
  if (!parts) return text;
  if (parts.places <= places) return write(parts.units * 10n ** BigInt(places - parts.places), places);
  const unit = 10n ** BigInt(parts.places - places);
  const size = parts.units < 0n ? -parts.units : parts.units;
  let whole = size / unit;
  const twice = (size % unit) * 2n;
  if (twice > unit || (twice === unit && whole % 2n === 1n)) whole += 1n;
  return write(parts.units < 0n ? -whole : whole, places);
}

/** A decimal times ten to the power `digits`, exactly. */
export function scale(text: string, digits: number): string {
  const parts = parse(text);
  if (!parts) return text;
  const places = parts.places - digits;
  return places >= 0 ? write(parts.units, places) : write(parts.units * 10n ** BigInt(-places), 0);
}

/** For the pixels of a chart only: no figure is printed from it. */
export const toPixels = (text: string): number => (isDecimal(text) ? Number(text) : NaN);

/** Digits after the point. */
export const placesOf = (text: string): number => parse(text)?.places ?? 0;

/** The text without an exponent and without zeros at its end, but with at least `places` digits after the point. */
export function plain(text: string, places = 0): string {
  const parts = parse(text);
  if (!parts) return text;
  let { units, places: have } = parts;
  while (have > places && units % 10n === 0n) {
    units /= 10n;
    have -= 1;
  }
  if (have < places) {
    units *= 10n ** BigInt(places - have);
    have = places;
  }
  return write(units, have);
}
