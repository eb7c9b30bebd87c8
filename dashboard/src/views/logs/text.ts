/** How a message becomes a line: harmless, cut in its middle, with numbers and found words told apart. */

/** A part of a line. */
export interface Segment {
  text: string;
  kind: "plain" | "number" | "mark";
}

/** Control sequences of terminals: CSI (colours, cursor), OSC (titles, links), and the short ones. */
// eslint-disable-next-line no-control-regex
const ANSI = /[\u001b\u009b](?:\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)?|\[?[0-?]*[ -/]*[@-~])/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
/** Marks that turn the direction of what follows; each line is isolated, and these are taken out besides. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g;
const BREAKS = /\r\n|[\n\r\u2028\u2029]/g;
/** What varies between copies of a line: UUIDs, and words with a digit (`10.0.3.7` is four of them). */
const NUMBERS = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[\p{L}\p{N}]*\p{Nd}[\p{L}\p{N}]*/giu;

/** How much of a message is looked at for a row. */
const ROW_TEXT = 4000;

/** A text without the codes of terminals and marks of direction; other control characters become visible. */
export function withoutCodes(text: string): string {
  return text
    .replace(ANSI, "")
    .replace(DIRECTION, "")
    .replace(CONTROL, (sign) => (sign === "\u007f" ? "␡" : String.fromCharCode(0x2400 + sign.charCodeAt(0))));
}

/** A message on one line. Of a long one, both ends are kept. */
export function oneLine(message: string): string {
  const part = message.length <= ROW_TEXT ? message : `${message.slice(0, ROW_TEXT / 2)} … ${message.slice(-ROW_TEXT / 2)}`;
  return withoutCodes(part).replace(BREAKS, " ↵ ").replaceAll("\t", " ").trim();
}

/** Cuts a line in its middle. The first found word stays in sight where it can. */
export function cutMiddle(text: string, columns: number, marks: RegExp | null = null): string {
  if (text.length <= columns) return text;
  const room = Math.max(columns - 3, 8);
  const head = Math.ceil(room * 0.6);
  const found = marks ? text.search(marks) : -1;
  const tail = room - head;
  const end = text.length - tail;
  const isHidden = found > head - 4 && found < end;
  const second = isHidden ? Math.max(found - 4, head) : end;
  const isAtEnd = second + tail >= text.length;
  return `${whole(text, 0, head)} … ${whole(text, second, second + tail)}${isAtEnd ? "" : "…"}`;
}

/** A part of a text that begins and ends with whole characters. */
function whole(text: string, start: number, end: number): string {
  const isLow = (at: number) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return text.slice(isLow(start) ? start + 1 : start, isLow(end) ? end - 1 : end);
}

/** What finds some words in a line, or null without words. */
export function marksOf(words: string[]): RegExp | null {
  const kept = [...new Set(words.map((word) => word.toLowerCase()).filter((word) => word !== ""))].sort((a, b) => b.length - a.length).slice(0, 50);
  if (kept.length === 0) return null;
  return new RegExp(kept.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "giu");
}

/** The words that a line must have: `payment "gateway timeout" -cache` has two. */
export function wordsOf(search: string): string[] {
  return [...search.matchAll(/-?"[^"]*"?|\S+/g)].map((match) => match[0]).filter((part) => !part.startsWith("-")).map((part) => part.replaceAll('"', "").trim());
}

/** The texts that a search found, by its ranges of bytes. */
export function foundTexts(text: string, ranges: number[][]): string[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  return ranges.map(([start = 0, end = 0]) => decoder.decode(bytes.subarray(start, end)));
}

/** Tells numbers and found words of a line apart from the rest of it. */
export function segments(text: string, marks: RegExp | null): Segment[] {
  if (!marks) return numbered(text);
  const parts: Segment[] = [];
  let at = 0;
  for (const match of text.matchAll(marks)) {
    if (match.index > at) parts.push(...numbered(text.slice(at, match.index)));
    parts.push({ text: match[0], kind: "mark" });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push(...numbered(text.slice(at)));
  return parts;
}

function numbered(text: string): Segment[] {
  const parts: Segment[] = [];
  let at = 0;
  for (const match of text.matchAll(NUMBERS)) {
    if (match.index > at) parts.push({ text: text.slice(at, match.index), kind: "plain" });
    parts.push({ text: match[0], kind: "number" });
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ text: text.slice(at), kind: "plain" });
  return parts;
}

/** A message with its numbers masked: the same for all copies of a line. */
export function templateOf(message: string): string {
  return message.slice(0, ROW_TEXT / 2).replace(NUMBERS, "0");
}

/** How much of a message a pattern for `like` has. */
const LIKE_TEXT = 300;

/** A pattern for `like` that the copies of a message have in common. */
export function likeCopies(message: string): string {
  const part = whole(message, 0, LIKE_TEXT);
  const pattern = part.replace(/[\\%_]/g, "\\$&").replace(NUMBERS, "%");
  return message.length > LIKE_TEXT ? `${pattern}%` : pattern;
}
