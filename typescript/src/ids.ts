import { createHash, randomBytes } from "node:crypto";

const LENGTH = 27;
const BORDER = "\u001f";
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * Makes the id of an event from its cause, as the Python SDK does: a run that is repeated makes the
 * same ids.
 */
export function makeId(prefix: string, ...cause: string[]): string {
  let text = cause.join(BORDER);
  if (text.includes("\\") || text.split(BORDER).length > cause.length) {
    const parts = cause.map((part) => part.replaceAll("\\", "\\\\").replaceAll(BORDER, "\\b"));
    text = `\\${parts.join(BORDER)}`;
  }
  return `${prefix}_${letters(createHash("sha256").update(text).digest())}`;
}

/** Makes an id for an event that follows from no other. */
export function randomId(prefix: string): string {
  return `${prefix}_${letters(randomBytes(LENGTH))}`;
}

function letters(bytes: Buffer): string {
  return Array.from(bytes.subarray(0, LENGTH), (byte) => ALPHABET[byte % 62]).join("");
}
