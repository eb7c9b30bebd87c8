/** Texts of strangers, made harmless to look at, and cut where there is no room. */

/** Control sequences of terminals: CSI (colours, cursor), OSC (titles, links), and the short ones. */
// eslint-disable-next-line no-control-regex
const ANSI = /[\u001b\u009b](?:\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)?|\[?[0-?]*[ -/]*[@-~])/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
/** Marks that turn the direction of what follows; each line is isolated, and these are taken out besides. */
const DIRECTION = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;
const BREAKS = /\r\n|[\n\r\u2028\u2029]/g;

/** How much of a message is looked at for a row. */
export const ROW_TEXT = 4000;

/** A text without the codes of terminals and marks of direction; other control characters become visible. */
export function withoutCodes(text: string): string {
  return text
    .replace(ANSI, "")
    .replace(DIRECTION, "")
    .replace(CONTROL, (sign) => (sign === "\u007f" ? "␡" : String.fromCharCode(0x2400 + sign.charCodeAt(0))));
}

/** A text on one line. Of a very long one, both ends are kept. */
export function oneLine(text: string): string {
  const part = text.length <= ROW_TEXT ? text : `${text.slice(0, ROW_TEXT / 2)} … ${text.slice(-ROW_TEXT / 2)}`;
  return withoutCodes(part).replace(BREAKS, " ↵ ").replaceAll("\t", " ").trim();
}

/** A text on one line of `most` characters. */
export function shortLine(text: string, most = 300): string {
  return cutEnd(oneLine(text.slice(0, 4 * most)), most);
}

/** Cuts the end of a text that is longer than `most`. */
export function cutEnd(text: string, most: number): string {
  return text.length <= most ? text : `${whole(text, 0, most - 1)}…`;
}

/** A part of a text that begins and ends with whole characters. */
export function whole(text: string, start: number, end: number): string {
  const isLow = (at: number) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return text.slice(isLow(start) ? start + 1 : start, isLow(end) ? end - 1 : end);
}
