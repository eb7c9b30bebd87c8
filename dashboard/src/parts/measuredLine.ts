/** How wide a text is in columns of monospaced letters, and where its characters begin. */
import type { Span } from "./excerpt";

/** Letters that are one column each, without anything that joins another. */
const PLAIN = /^[\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u21b5\u2400-\u2426]*$/;
const MARK = /^[\p{M}\u200b-\u200f]$/u;
const LETTERS = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** How wide the parts of a line are, and where its characters begin, as one sees these. */
export class MeasuredLine {
  /** The columns before each unit; null if each has one. */
  private readonly before: Uint32Array | null;
  private readonly letters: Intl.Segments | null;

  constructor(readonly text: string) {
    const isPlain = PLAIN.test(text);
    this.before = isPlain ? null : columnsBefore(text);
    this.letters = isPlain ? null : LETTERS.segment(text);
  }

  columns([start, end]: Span): number {
    if (end <= start) return 0;
    return this.before ? (this.before[end] ?? 0) - (this.before[start] ?? 0) : end - start;
  }

  /** The beginning of the character at a place. */
  startOf(at: number): number {
    return at >= this.text.length ? this.text.length : (this.letters?.containing(at)?.index ?? at);
  }

  /** The end of the character that a place is within, or the place itself between two. */
  endOf(at: number): number {
    const letter = at <= 0 || at >= this.text.length ? undefined : this.letters?.containing(at);
    return letter === undefined || letter.index === at ? at : letter.index + letter.segment.length;
  }
}

function columnsBefore(text: string): Uint32Array {
  const before = new Uint32Array(text.length + 1);
  for (let at = 0; at < text.length; at++) before[at + 1] = (before[at] ?? 0) + widthOf(text, at);
  return before;
}

function widthOf(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code < 0x300) return 1;
  if (code >= 0xdc00 && code <= 0xdfff) return 0;
  if (code >= 0xd800 && code <= 0xdbff) return code >= 0xd83c ? 2 : 1;
  const isWide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) || (code >= 0xffe0 && code <= 0xffe6);
  if (isWide) return 2;
  return MARK.test(text[at] ?? "") ? 0 : 1;
}
