/**
 * A text on one line, cut to the room that it has. Of a long one stay, in this order: what a search found, the
 * first words, a status, the last words, where numbers often stand, and what else was found. Where there is little
 * room, crumbs of all these say nothing: as much of the beginning stays as there is room for beside the rest.
 */
import { MeasuredLine } from "./measuredLine";
import { ROW_TEXT, oneLine, whole, withoutCodes } from "./text";

/** A part of a text, by units of UTF-16. */
export type Span = [start: number, end: number];

export interface Part {
  text: string;
  isFound: boolean;
}

/** What stands for text that is left out between two parts, and at an end. */
const GAP = " … ";
const EDGE = "…";
/** How much of the room the first and the last words have before the rest is shared out. */
const LEAST_SHARE = 0.2;
/** The longest step by which a part grows, where there are no blanks. */
const LONGEST_STEP = 16;
/** With fewer letters of it, a word is neither begun nor ended. */
const LEAST_OF_WORD = 8;
/** How many units of UTF-16 a column may have. */
const MOST_UNITS = 4;
/** With fewer columns, a line is its beginning. */
const NARROW = 50;
/** What is no longer than this is not left out between two parts, and at an end. */
const LEAST_GAP = 5;
const LEAST_EDGE = 3;
/** How many found words are kept in sight. */
const MOST_FOUND = 8;

/** A status code where the text calls it one: `HTTP/1.1" 502`, `status=502`, `answered 502`. */
const STATUS = /(?:HTTP\/\d(?:\.\d)?"?|status(?:[ _]?code)?|code|answered|returned|responded|with|[-=]>|→)[\s:="]{0,3}[1-5]\d\d(?!\d)/i;

/** How many letters a status code has. */
const CODE = 3;

/** Cuts a line to `columns`, each as wide as a letter of monospaced text. */
export function excerpt(text: string, columns: number, marks: RegExp | null = null): string {
  if (2 * text.length <= columns) return text;
  return joined(text, keptSpans(text, columns, marks ? spansFound(text, marks) : [])).map((part) => part.text).join("");
}

/** A message as a row of a list. */
export function rowOf(message: string, columns: number, marks: RegExp | null = null): string {
  return excerpt(lineAround(message, marks), columns, marks);
}

/** A text in which a search found something at `ranges` of bytes, as the API says it, cut to `columns`. */
export function excerptOf({ text, ranges }: { text: string; ranges: number[][] }, columns: number): Part[] {
  const found = spansOfBytes(text, ranges);
  // Of a very long text, what is around the first match is looked at.
  const from = text.length <= ROW_TEXT ? 0 : Math.max(0, (found[0]?.[0] ?? 0) - ROW_TEXT / 2);
  const near = whole(text, from, from + ROW_TEXT);
  const inside = found.map(([start, end]): Span => [start - from, end - from]).filter(([start, end]) => start >= 0 && end <= near.length);
  const parts = joined(near, keptSpans(near, columns, inside), inside);
  if (from > 0 && parts[0]?.text !== EDGE) parts.unshift({ text: EDGE, isFound: false });
  if (from + near.length < text.length && parts.at(-1)?.text !== EDGE) parts.push({ text: EDGE, isFound: false });
  return parts.map((part) => ({ ...part, text: withoutCodes(part.text).replace(/[\r\n\t\u2028\u2029]+/g, " ") }));
}

/** The parts of a line that are kept, in order. They end where characters do, as one sees these. */
export function keptSpans(text: string, columns: number, found: readonly Span[] = []): Span[] {
  const line = new MeasuredLine(text);
  const all: Span = [0, text.length];
  if (line.columns(all) <= columns) return [all];
  if (columns < NARROW) return spansOfNarrow(line, columns, found);
  let kept: Span[] = [];
  const keep = (start: number, end: number): boolean => {
    const next = withSpan(kept, [line.startOf(Math.max(start, 0)), line.endOf(Math.min(end, text.length))], line);
    if (costOf(next, line) > columns) return false;
    kept = next;
    return true;
  };
  const [first] = found;
  if (first) {
    // With the rest of its word, or alone, or as much of it as there is room for.
    const [start, end] = first;
    if (!keep(wordStart(text, start + 1), wordEnd(text, end - 1)) && !keep(start, end)) for (let most = Math.min(end - start, columns); most > 0 && !keep(start, start + most); most--);
  }
  const least = Math.max(4, Math.floor(columns * LEAST_SHARE));
  keepLongest(least, (length) => keep(0, lastWordEnd(text, length)));
  const status = statusIn(text);
  if (status && !keep(...status)) keep(status[1] - CODE, status[1]);
  keepLongest(least, (length) => {
    const start = firstWordStart(text, text.length - length);
    return (text[start - 1] === " " || text.length - start >= LEAST_OF_WORD) && keep(start, text.length);
  });
  for (const [start, end] of found.slice(1, MOST_FOUND)) keep(start, end);
  grow();
  return kept;

  /** Shares out the room that is left, a word at a time; the first words get twice as much. */
  function grow(): void {
    for (let isGrown = true; isGrown; ) {
      isGrown = false;
      for (const [index, [start, end]] of kept.entries()) {
        for (let times = index === 0 ? 2 : 1; times > 0; times--) {
          const to = kept.find(([from, until]) => from <= start && start <= until)?.[1] ?? end;
          if (to < text.length && keep(start, wordEnd(text, to))) isGrown = true;
        }
        if (start > 0 && keep(wordStart(text, start), end)) isGrown = true;
      }
    }
    const end = kept[0]?.[1] ?? 0;
    keepLongest(LONGEST_STEP, (length) => length > LEAST_OF_WORD && keep(end, end + length));
  }
}

/** The longest beginning of a line; and what was found, or else a status, if it is not within that. */
function spansOfNarrow(line: MeasuredLine, columns: number, found: readonly Span[]): Span[] {
  const beginning = withBeginning(line, [], columns);
  const isWithin = ([start, end]: Span, spans: readonly Span[]) => spans.some(([from, until]) => from <= start && end <= until);
  const match = found[0] && wordAround(line, found[0], columns);
  if (match && !isWithin(match, beginning)) return withBeginning(line, withSpan([], match, line), columns);
  const status = statusIn(line.text);
  const code: Span | null = status && [status[1] - CODE, status[1]];
  if (!code || isWithin(code, beginning)) return beginning;
  // A status alone says less than the beginning, and what was found stays.
  const spans = withBeginning(line, withSpan([], code, line), columns);
  return spans[0]?.[0] === 0 && costOf(spans, line) <= columns && (!match || isWithin(match, spans)) ? spans : beginning;
}

/** Spans with as much of the beginning as there is room for: whole words, unless the last of them is very long. */
function withBeginning(line: MeasuredLine, kept: readonly Span[], columns: number): Span[] {
  const { text } = line;
  let cut = 0;
  for (let end = Math.min(text.length, MOST_UNITS * columns); end > 0; end--) {
    const isWord = text[end] === " " && text[end - 1] !== " ";
    if (!isWord && (cut > 0 || end - text.lastIndexOf(" ", end - 1) <= LEAST_OF_WORD)) continue;
    if (costOf(withSpan(kept, [0, line.endOf(end)], line), line) > columns) continue;
    if (!isWord) cut = end;
    else return withSpan(kept, [0, cut > 2 * end ? line.endOf(cut) : end], line);
  }
  if (cut > 0) return withSpan(kept, [0, line.endOf(cut)], line);
  if (kept.length > 0) return [...kept];
  // There is no room for eight letters of it.
  let most = columns;
  while (most > 0 && costOf([[0, line.endOf(most)]], line) > columns) most--;
  return [[0, line.endOf(most)]];
}

/** What was found with the rest of its word; or alone, or as much of it as there is room for. */
function wordAround(line: MeasuredLine, [start, end]: Span, columns: number): Span {
  const word: Span = [wordStart(line.text, start + 1), wordEnd(line.text, end - 1)];
  for (const span of [word, [start, end] as Span]) if (costOf(withSpan([], span, line), line) <= columns) return span;
  let most = Math.min(end - start, columns);
  while (most > 1 && costOf([[line.startOf(start), line.endOf(start + most)]], line) > columns) most--;
  return [line.startOf(start), line.endOf(start + most)];
}

/** Where a text has a status code, with the word that calls it one. */
function statusIn(text: string): Span | null {
  const status = STATUS.exec(text);
  return status && [status.index, status.index + status[0].length];
}

/** Tries ever shorter lengths. */
function keepLongest(most: number, keep: (length: number) => boolean): void {
  for (let length = most; length > 0 && !keep(length); length--);
}

/** Where the word ends that is at a place, or behind it. */
function wordEnd(text: string, at: number): number {
  let end = Math.max(at, 0);
  while (end < text.length && text[end] === " ") end++;
  const most = end + LONGEST_STEP;
  while (end < text.length && end < most && text[end] !== " ") end++;
  return end;
}

/** Where the last whole word ends that is before a place; the place itself if there is none. */
function lastWordEnd(text: string, at: number): number {
  if (text[at] === undefined || text[at] === " ") return at;
  const blank = text.lastIndexOf(" ", at);
  return blank > 0 ? blank : at;
}

/** Where the first whole word begins that is behind a place; the place itself if there is none. */
function firstWordStart(text: string, at: number): number {
  if (at <= 0 || text[at - 1] === " ") return at;
  const blank = text.indexOf(" ", at);
  return blank >= 0 && blank < text.length - 1 ? blank + 1 : at;
}

/** Where the word begins that is before a place. */
function wordStart(text: string, at: number): number {
  let start = Math.min(at, text.length);
  while (start > 0 && text[start - 1] === " ") start--;
  const least = start - LONGEST_STEP;
  while (start > 0 && start > least && text[start - 1] !== " ") start--;
  return start;
}

/** Spans with one more; those that are no further apart than a gap is wide are one. */
function withSpan(spans: readonly Span[], span: Span, line: MeasuredLine): Span[] {
  const all = [...spans, span].sort(([a], [b]) => a - b);
  const merged: Span[] = [];
  for (const [start, end] of all) {
    const last = merged.at(-1);
    if (last && (start <= last[1] || line.columns([last[1], start]) <= LEAST_GAP)) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  const [head] = merged;
  const tail = merged.at(-1);
  if (head && line.columns([0, head[0]]) <= LEAST_EDGE) head[0] = 0;
  if (tail && line.columns([tail[1], line.text.length]) <= LEAST_EDGE) tail[1] = line.text.length;
  return merged;
}

function costOf(spans: readonly Span[], line: MeasuredLine): number {
  const edges = ((spans[0]?.[0] ?? 0) > 0 ? EDGE.length : 0) + ((spans.at(-1)?.[1] ?? line.text.length) < line.text.length ? EDGE.length : 0);
  return spans.reduce((sum, span) => sum + line.columns(span), edges + Math.max(0, spans.length - 1) * GAP.length);
}

/** The parts of a text that are kept, and what stands for those that are not. */
function joined(text: string, kept: readonly Span[], found: readonly Span[] = []): Part[] {
  const parts: Part[] = [];
  const push = (part: string, isFound = false) => {
    if (part !== "") parts.push({ text: part, isFound });
  };
  for (const [index, [start, end]] of kept.entries()) {
    push(index > 0 ? GAP : start > 0 ? EDGE : "");
    let at = start;
    for (const [from, until] of found) {
      if (until <= at || from >= end) continue;
      push(text.slice(at, Math.max(at, from)));
      push(text.slice(Math.max(at, from), Math.min(until, end)), true);
      at = Math.min(until, end);
    }
    push(text.slice(at, end));
  }
  if ((kept.at(-1)?.[1] ?? 0) < text.length) push(EDGE);
  return parts;
}

/** Where a line has what a search found. */
function spansFound(text: string, marks: RegExp): Span[] {
  const spans: Span[] = [];
  for (const { index, 0: match } of text.matchAll(marks)) {
    spans.push([index, index + match.length]);
    if (spans.length >= MOST_FOUND) break;
  }
  return spans;
}

/** Ranges of bytes of UTF-8 as places in a text. */
function spansOfBytes(text: string, ranges: readonly number[][]): Span[] {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  const spans: Span[] = [];
  let [byte, unit] = [0, 0];
  for (const [from = 0, until = 0] of ranges.slice(0, MOST_FOUND)) {
    if (from < byte) continue;
    const start = unit + decoder.decode(bytes.subarray(byte, from)).length;
    unit = start + decoder.decode(bytes.subarray(from, until)).length;
    byte = until;
    spans.push([start, unit]);
  }
  return spans;
}

/** How far a very long message is searched for the first match. */
const SEARCHED = 100_000;

/** A message on one line. Of a very long one both ends are kept, and what is around the first match between them. */
function lineAround(message: string, marks: RegExp | null): string {
  if (message.length <= ROW_TEXT || !marks) return oneLine(message);
  const end = message.length - ROW_TEXT / 2;
  const at = message.slice(0, SEARCHED).search(marks);
  if (at < ROW_TEXT / 2 || at >= end) return oneLine(message);
  const from = Math.max(at - ROW_TEXT / 8, 0);
  return oneLine(`${whole(message, 0, ROW_TEXT / 4)}${GAP}${whole(message, from, from + ROW_TEXT / 4)}${GAP}${whole(message, message.length - ROW_TEXT / 4, message.length)}`);
}
