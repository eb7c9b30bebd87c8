/** Two responses as lines beside each other. */
import { memberOf } from "../masked";

export interface Line {
  text: string;
  /** `status`, `headers.NAME`, or the place in a body of JSON; null in a text. */
  place: string | null;
}

export interface LinePair {
  left: Line | null;
  right: Line | null;
  isSame: boolean;
}

export const MOST_LINES = 1500;

/** A body as lines, each with its place. */
export function bodyLines(body: unknown): Line[] {
  if (body === null || body === undefined) return [];
  if (typeof body === "string") return body.split("\n", MOST_LINES).map((text) => ({ text: text.slice(0, 2000), place: null }));
  const lines: Line[] = [];
  write(body, "$", "", "", lines);
  return lines;
}

function write(value: unknown, place: string, indent: string, before: string, lines: Line[]): void {
  if (lines.length >= MOST_LINES) return;
  if (typeof value !== "object" || value === null) {
    lines.push({ text: `${indent}${before}${JSON.stringify(value).slice(0, 2000)}`, place });
    return;
  }
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  // Names in their order, as the server stores and compares them.
  const keys = Array.isArray(value) ? null : Object.keys(value).sort();
  const length = keys?.length ?? (value as unknown[]).length;
  if (length === 0) {
    lines.push({ text: `${indent}${before}${open}${close}`, place });
    return;
  }
  lines.push({ text: `${indent}${before}${open}`, place });
  for (let index = 0; index < length && lines.length < MOST_LINES; index++) {
    const key = keys?.[index];
    if (key === undefined) write((value as unknown[])[index], `${place}[${index}]`, `${indent}  `, "", lines);
    else write((value as Record<string, unknown>)[key], place + memberOf(key), `${indent}  `, `${JSON.stringify(key)}: `, lines);
  }
  lines.push({ text: `${indent}${close}`, place });
}

/** Puts equal lines beside each other, by the longest list of lines that both have. */
export function pair(left: Line[], right: Line[]): LinePair[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start]?.text === right[start]?.text) start++;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left[left.length - 1 - end]?.text === right[right.length - 1 - end]?.text) end++;
  const same = (from: number, count: number, shift: number): LinePair[] => Array.from({ length: count }, (_, index) => ({ left: left[from + index] ?? null, right: right[from + index + shift] ?? null, isSame: true }));
  const middle = pairMiddle(left.slice(start, left.length - end), right.slice(start, right.length - end));
  return [...same(0, start, 0), ...middle, ...same(left.length - end, end, right.length - left.length)];
}

function pairMiddle(left: Line[], right: Line[]): LinePair[] {
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--)
    for (let j = right.length - 1; j >= 0; j--)
      lengths[i * width + j] = left[i]?.text === right[j]?.text ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0);
  const pairs: LinePair[] = [];
  let [i, j] = [0, 0];
  let [removed, added]: [Line[], Line[]] = [[], []];
  const flush = () => {
    for (let at = 0; at < Math.max(removed.length, added.length); at++) pairs.push({ left: removed[at] ?? null, right: added[at] ?? null, isSame: false });
    [removed, added] = [[], []];
  };
  while (i < left.length || j < right.length) {
    const [one, other] = [left[i], right[j]];
    if (one && other && one.text === other.text) {
      flush();
      pairs.push({ left: one, right: other, isSame: true });
      i++;
      j++;
    } else if (one && (!other || (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0))) {
      removed.push(one);
      i++;
    } else if (other) {
      added.push(other);
      j++;
    }
  }
  flush();
  return pairs;
}
