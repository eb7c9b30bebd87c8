/** Passwords for one time, made in the browser. */

/** Letters and digits that nobody takes for another: no l, 0, 1, o. */
export const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

/** Four groups of six letters: 120 random bits, as those that the server makes. */
export function generatePassword(fill: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  // There are 32 letters, and 256 is a multiple of 32: each letter is as likely as any other.
  const letters = [...fill(new Uint8Array(24))].map((byte) => LETTERS[byte % LETTERS.length] ?? "");
  return [0, 6, 12, 18].map((start) => letters.slice(start, start + 6).join("")).join("-");
}
