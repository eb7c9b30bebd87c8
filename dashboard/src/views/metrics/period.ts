/** The whole minutes that windows tell of, in a range of time. */
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

function floor(time: number): number {
  return Math.floor(time / UNIT_MS.m) * UNIT_MS.m;
}

/** `until 12:03`. */
export function untilMinute(until: Date): string {
  return `until ${String(until.getHours()).padStart(2, "0")}:${String(until.getMinutes()).padStart(2, "0")}`;
}

/** Why numbers of windows end before the range does. */
export const WHY_UNTIL = "Requests are counted minute by minute, and a minute is stored when it is over";
