/**
 * What the counts of a search are worth beside its list. Counts and charts are of records with all the words; a list
 * by rank has near ones, too. Where no record has all the words, zeros above a full list would be taken for facts.
 */
import type { Query } from "../query/parse";
import { shortLine } from "./text";

interface Found {
  isRanked: boolean;
  /** How many records have all the words; null until it is known. */
  counted: number | null;
  /** How many rows the list has; null until it is known, or where there is no list. */
  listed: number | null;
}

/** `counts`: numbers and charts as they are. `near`: only the list has something. `nothing`: the list says so. */
export type Counting = "counts" | "near" | "nothing" | "unknown";

export function countingOf({ isRanked, counted, listed }: Found): Counting {
  if (!isRanked || counted === null || counted > 0) return "counts";
  if (listed === null) return "unknown";
  return listed > 0 ? "near" : "nothing";
}

/** Says that no record has the words; a single one is named. Null for a search without words. */
export function noneHas({ terms, filters }: Pick<Query, "terms" | "filters">, noun: string): string | null {
  const sought = terms.filter((term) => term.word !== "" && !term.isExcluded);
  const [only] = sought;
  if (!only) return null;
  const such = filters.length > 0 ? `No ${noun} that passes the filters` : `No ${noun}`;
  return sought.length === 1 ? `${such} has “${shortLine(only.word.replace(/^"|"$/g, ""), 40)}”` : `${such} has all the words`;
}

/** A word of a search, and what a hit has in its place. */
export interface FoundWord {
  word: string;
  kind: string;
  matched: string;
}

/** The search with the words that the best hit has in place of misspelt ones; null if that is the same search. */
export function respelt(text: string, words: readonly FoundWord[]): string | null {
  const right = new Map(words.filter((one) => one.kind === "misspelling").map((one) => [one.word.toLowerCase(), one.matched]));
  const changed = text
    .split(/(\s+)/)
    .map((piece) => piece.replace(/^("?)(.*?)("?)$/s, (whole: string, before: string, word: string, after: string) => {
      const found = right.get(word.toLowerCase());
      return found === undefined ? whole : `${before}${found}${after}`;
    }))
    .join("");
  return changed === text ? null : changed;
}

/** Said of a list by rank, whose times would suggest that it is in their order. */
export const BY_RANK = "best first, not by time";

/** What stands in the place of numbers where only near records were found. */
export function nearNote(query: Pick<Query, "terms" | "filters">, noun: string): string {
  return `${noneHas(query, noun) ?? `No ${noun} has all the words`}; the list shows the nearest.`;
}
