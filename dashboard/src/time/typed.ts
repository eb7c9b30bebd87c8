/** A range as it is typed: two times, of which the second may be missing. */
import { UNIT_MS, parseRange } from "./range";
import type { Range, Unit } from "./range";
import { parseWhen } from "./when";

export type TypedRange = { range: Range; from: Date; until: Date } | { wrong: "from" | "until"; text: string };

const DAY_MS = UNIT_MS.d;
const LONGEST_MS = 36_525 * DAY_MS;

/** Reads the two times of a range; without an end it goes on until now. */
export function readTyped(from: string, until: string, now: Date): TypedRange {
  const isOpen = /^(now)?$/i.test(until.trim());
  const first = parseWhen(from, now);
  if (first === null) return { wrong: "from", text: from.trim() === "" ? "Say when it begins." : "This is not a time that can be read." };
  const last = isOpen ? { from: now, until: now } : parseWhen(until, isClock(until) && !isRelative(from) ? first.from : now);
  if (last === null) return { wrong: "until", text: "This is not a time that can be read." };
  // A day that ends a range is part of it.
  const end = last.until.getTime() - last.from.getTime() > UNIT_MS.h ? last.until : last.from;
  const length = end.getTime() - first.from.getTime();
  if (length <= 0) return isOpen ? { wrong: "from", text: "It begins after now." } : { wrong: "until", text: "It ends before it begins." };
  if (length > LONGEST_MS) return { wrong: "from", text: "A range has a hundred years at most." };
  const range = (isOpen ? lastOf(from) : null) ?? { kind: "between", from: first.from, until: end };
  return { range, from: first.from, until: end };
}

function isRelative(text: string): boolean {
  return /^[+-]/.test(text.trim());
}

function isClock(text: string): boolean {
  return /^\d{1,2}:/.test(text.trim());
}

/** `-2h` until now stays relative. */
function lastOf(text: string): Range | null {
  const [, amount = "", unit = ""] = /^-(\d+)\s*(m|min|h|d|w)$/i.exec(text.trim()) ?? [];
  if (amount === "") return null;
  const short = unit.toLowerCase() === "min" ? "m" : unit.toLowerCase();
  return short === "w" ? parseRange(`${Number(amount) * 7}d`) : parseRange(`${amount}${short as Unit}`);
}

/** A time as one types it, in the local zone: `2026-11-29 10:00`. */
export function formatTyped(time: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${String(time.getFullYear()).padStart(4, "0")}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const rest = time.getMilliseconds() > 0 ? `:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}` : time.getSeconds() > 0 ? `:${two(time.getSeconds())}` : "";
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}${rest}`;
}

/** The same in UTC, to be shown beside it. */
export function formatUtc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
