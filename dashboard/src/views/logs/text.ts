/** What a message has: numbers and found words, told apart from the rest, and what its copies have in common. */
import { ROW_TEXT, whole } from "../../parts/text";

/** A part of a line. */
export interface Segment {
  text: string;
  kind: "plain" | "number" | "mark";
}

/** What varies between copies of a line: UUIDs, and words with a digit (`10.0.3.7` is four of them). */
const NUMBERS = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[\p{L}\p{N}]*\p{Nd}[\p{L}\p{N}]*/giu;

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
