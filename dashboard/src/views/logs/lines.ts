/** Lines as the list has them: records, what a search said of them, and copies that are folded. */
import type { Log, LogHit } from "../../api/client";
import type { FoundWord } from "../../parts/nearHits";
import { foundTexts, marksOf, templateOf } from "./text";

export interface Line {
  id: number;
  log: Log;
  /** Lines that differ only in numbers and ids, with this one: more than one if they are folded. */
  copies: number;
  copiesAreExact: boolean;
  /** Set for a copy that is shown: the line above it that stands for all. */
  copyOf: number | null;
  /** Whether its copies are shown below it. */
  isOpened: boolean;
  /** How similar it is to another line, up to 1, where that is what it is listed for. */
  similarity?: number | null;
  /** What the search found in the message. */
  marks: RegExp | null;
  /** The words of the search, and what the line has of them. */
  found?: readonly FoundWord[];
}

const known = new WeakMap<Log, Line>();

/** A line that stands for itself: the same for the same record, so that its row is drawn once. */
export function lineOf(log: Log): Line {
  const line = known.get(log) ?? { id: log.id, log, copies: 1, copiesAreExact: true, copyOf: null, isOpened: false, marks: null };
  known.set(log, line);
  return line;
}

/** A line of a search by rank. */
export function lineOfHit(log: LogHit): Line {
  const { copies, highlights, why } = log.hit;
  const found = highlights.filter((one) => one.field === "message").flatMap((one) => foundTexts(one.text, one.ranges));
  const matched = why.words.filter((one) => one.field === "message").map((one) => one.matched);
  return { ...lineOf(log), copies: copies?.count ?? 1, copiesAreExact: copies?.count_is_exact ?? true, found: why.words, marks: marksOf(found.length > 0 ? found : matched) };
}

const keys = new WeakMap<Log, string>();
/** Below this, lines have little more in common than that they are lines. */
const SIMILAR_FROM = 0.5;

/** Lines that are similar, and the rest of them, which are less so. The API lists the most similar first. */
export function bySimilarity(hits: LogHit[]): { similar: LogHit[]; less: LogHit[] } {
  const from = hits.findIndex((log) => (log.hit.why.similarity ?? 1) < SIMILAR_FROM);
  return from < 0 ? { similar: hits, less: [] } : { similar: hits.slice(0, from), less: hits.slice(from) };
}

/** One text for all copies, instead of one for each. */
const shared = new Map<string, string>();
const MOST_SHARED = 50_000;

/** What is the same for all copies of a line. */
export function copyKey(log: Log): string {
  const before = keys.get(log);
  if (before !== undefined) return before;
  const key = `${log.level}\n${log.source}\n${templateOf(log.message)}`;
  const kept = shared.get(key) ?? key;
  if (shared.size > MOST_SHARED) shared.clear();
  shared.set(kept, kept);
  keys.set(log, kept);
  return kept;
}

/**
 * Makes one line of those that differ only in numbers and ids: the newest of them stands for all, and shows the rest
 * when it is opened. Where lines go on to come, each stays where it was when its first copy came.
 */
export function fold(lines: Line[], openedId: number | null, isLive = false): Line[] {
  const groups = new Map<string, Line[]>();
  for (const line of lines) {
    const key = copyKey(line.log);
    const group = groups.get(key);
    if (group) group.push(line);
    else groups.set(key, [line]);
  }
  // The oldest copy has the place of a line that stays; Map keeps the place of the newest.
  const order = isLive ? byOldest(lines, groups) : [...groups.values()];
  return order.flatMap((group) => {
    const [first, ...rest] = group;
    if (!first) return [];
    if (rest.length === 0) return [first];
    const isOpened = openedId !== null && group.some((line) => line.id === openedId);
    const head = { ...first, copies: group.length, isOpened };
    return isOpened ? [head, ...rest.map((line) => ({ ...line, copyOf: first.id }))] : [head];
  });
}

function byOldest(lines: Line[], groups: Map<string, Line[]>): Line[][] {
  const order: Line[][] = [];
  const seen = new Set<string>();
  for (const line of lines.toReversed()) {
    const key = copyKey(line.log);
    const group = groups.get(key);
    if (group && !seen.has(key)) order.push(group);
    seen.add(key);
  }
  return order.reverse();
}

/** Shows copies below the line that stands for them; those that the list has as rows of their own stay where they are. */
export function withCopiesOf(lines: Line[], opened: Line, copies: Line[]): Line[] {
  const known = new Set(lines.map((line) => line.id));
  const added = copies.filter((line) => !known.has(line.id)).map((line) => ({ ...line, copyOf: opened.id }));
  return lines.flatMap((line) => (line.id === opened.id ? [{ ...line, isOpened: true }, ...added] : [line]));
}

/** The row of a line: its own, or that of the line that stands for it while copies are folded. */
export function rowFor(lines: Line[], id: number | null, log: Log | null): Line | null {
  if (id === null) return null;
  const own = lines.find((line) => line.id === id);
  if (own || log === null) return own ?? null;
  const key = copyKey(log);
  return lines.find((line) => line.copies > 1 && copyKey(line.log) === key) ?? null;
}
