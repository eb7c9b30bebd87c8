/** What a search found in a request, and how much of it a row shows beside the path. */
import type { Schemas } from "../../api/client";
import type { RequestRow } from "./useRequestList";

export type Highlight = Schemas["Hit"]["highlights"][number];

export interface Found {
  path: Highlight | undefined;
  user: Highlight | undefined;
  /** Words of the query, which is shown behind the path. */
  queryWords: string[];
  /** A part of the request that has no column. */
  elsewhere: { highlight: Highlight; label: string } | undefined;
}

/** Parts that have no column, by the names that tabs of the detail have. */
const LABELS: Record<string, string> = { body: "request: ", response_body: "response: " };

export function foundIn({ hit }: RequestRow): Found {
  const of = (field: string) => hit?.highlights.find((one) => one.field === field);
  const query = of("query");
  const elsewhere = hit?.highlights.find((one) => one.field in LABELS);
  return {
    path: of("path"),
    user: of("user_id"),
    queryWords: query ? wordsOf(query) : [],
    elsewhere: elsewhere && { highlight: elsewhere, label: LABELS[elsewhere.field] ?? "" },
  };
}

/** The texts that ranges of bytes are. */
function wordsOf({ text, ranges }: Highlight): string[] {
  const bytes = new TextEncoder().encode(text);
  return [...new Set(ranges.map(([from, until]) => new TextDecoder().decode(bytes.subarray(from, until))))].filter((word) => word !== "");
}

/** A text in parts, those marked that are one of some words. */
export function markWords(text: string, words: readonly string[]): { text: string; isFound: boolean }[] {
  if (words.length === 0) return [{ text, isFound: false }];
  const pattern = [...words].sort((a, b) => b.length - a.length).map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  return text
    .split(new RegExp(`(${pattern})`))
    .map((part, index) => ({ text: part, isFound: index % 2 === 1 }))
    .filter((part) => part.text !== "");
}

/** The part of a body around its first match: how a body begins and ends, which are brackets mostly, says nothing. */
export function around({ field, text, ranges }: Highlight, columns: number): Highlight {
  const bytes = new TextEncoder().encode(text);
  const isWithin = (at: number) => at > 0 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80;
  const [first = 0, end = 0] = ranges[0] ?? [];
  let from = Math.max(0, first - Math.floor(columns / 4));
  while (isWithin(from)) from--;
  const before = from > 0 ? "…" : "";
  // An ellipsis at either end has its room.
  let until = Math.min(bytes.length, Math.max(from + columns - before.length - 1, end));
  while (isWithin(until)) until--;
  const shift = from - new TextEncoder().encode(before).length;
  return {
    field,
    text: `${before}${new TextDecoder().decode(bytes.subarray(from, until))}${until < bytes.length ? "…" : ""}`,
    ranges: ranges.filter((range) => range.every((at) => at >= from && at <= until)).map((range) => range.map((at) => at - shift)),
  };
}

/** Between the path and what was found elsewhere. */
const GAP = 2;
/** With fewer letters, an excerpt says nothing. */
const LEAST = 16;

/** How many letters of a cell the path has, with its query, and how many an excerpt beside it. */
export function shareRoom(columns: number, path: number, label: number): { path: number; label: boolean; excerpt: number } {
  const rest = (ofPath: number, isLabelled: boolean) => columns - ofPath - GAP - (isLabelled ? label : 0);
  if (rest(path, true) >= LEAST) return { path, label: true, excerpt: rest(path, true) };
  // A long path gives way, to half of the cell, or a third where a word has no room else; the label goes then.
  const share = Math.min(path, Math.floor(columns / (columns < 1.5 * LEAST ? 3 : 2)));
  const ofPath = Math.max(share, Math.min(path, columns - GAP - label - LEAST));
  const isLabelled = rest(ofPath, true) >= LEAST;
  return { path: ofPath, label: isLabelled, excerpt: Math.max(0, rest(ofPath, isLabelled)) };
}
