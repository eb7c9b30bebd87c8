/** The whole minutes that windows tell of, in a range of time. */
import { count } from "../../time/format";
import { UNIT_MS } from "../../time/range";
import type { Range } from "../../time/range";

/** A window is stored once its minute is over: capture waits a second for late answers, and then sends it. */
const LATE_MS = 5000;

export interface WindowPeriod {
  from: Date;
  until: Date;
  /** Whether the range goes on, and its last minute is not stored yet. */
  isCut: boolean;
}

/**
 * Cuts a range to minutes that are stored whole. The minute that is not over would look like a drop
 * of the traffic, and one minute less than the period before it has like a change. What ends now is
 * as long as the range, and ends with the last minute.
 */
export function windowPeriod(range: Range, from: Date, until: Date, now: Date): WindowPeriod {
  const stored = floor(now.getTime() - LATE_MS);
  const end = -floor(-until.getTime());
  if (end <= stored) return { from: new Date(floor(from.getTime())), until: new Date(end), isCut: false };
  if (range.kind === "last") return { from: new Date(stored - (until.getTime() - from.getTime())), until: new Date(stored), isCut: true };
  const start = floor(from.getTime());
  return { from: new Date(start), until: new Date(Math.max(stored, start + UNIT_MS.m)), isCut: true };
}

/** The part of a period that is counted: what is before the first window is none. */
export function coveredPart(from: Date, until: Date, first: Date | null): { seconds: number; since: Date | null } {
  const isCut = first !== null && first > from && first < until;
  return { seconds: (until.getTime() - (isCut ? first : from).getTime()) / 1000, since: isCut ? first : null };
}

/** `0.22`, `1,204`. */
export function perSecond(requests: number, seconds: number): string {
  const value = requests / seconds;
  return value === 0 ? "0" : value < 0.01 ? "< 0.01" : value < 100 ? value.toFixed(2) : count(Math.round(value));
}

function floor(time: number): number {
  return Math.floor(time / UNIT_MS.m) * UNIT_MS.m;
}

/** `until 12:03`. */
export function untilMinute(until: Date): string {
  return `until ${clockOf(until)}`;
}

/** `since 12:03`, with the day if that is not today. */
export function sinceMinute(since: Date, now: Date): string {
  const day = since.toDateString() === now.toDateString() ? "" : `${since.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `;
  return `since ${day}${clockOf(since)}`;
}

function clockOf(time: Date): string {
  return `${String(time.getHours()).padStart(2, "0")}:${String(time.getMinutes()).padStart(2, "0")}`;
}

/** Why requests per second are of a part of the range. */
export const WHY_SINCE = "Nothing was counted before: the requests are divided by the time since the first that was";

/** Why numbers of windows end before the range does. */
export const WHY_UNTIL = "Requests are counted minute by minute, and a minute is stored when it is over";
