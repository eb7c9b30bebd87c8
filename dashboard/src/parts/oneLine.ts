/** Texts of records as short lines: what they have of line breaks, control characters and length does no harm. */

// Escapes of terminals are control characters.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?/g;
/** How much of a text is shown. */
const MOST = 300;

/** A text as one short line, without the codes of terminals. */
export function oneLine(text: string): string {
  return text
    .slice(0, 4 * MOST)
    .replace(ESCAPES, "")
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, MOST);
}
