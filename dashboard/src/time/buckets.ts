/** Buckets of time as the API makes them: by length, counted from 2001, or by the calendar of the local zone. */
import { UNIT_MS } from "./range";

/** Buckets of a fixed length are counted from Monday, 1 January 2001, 00:00 UTC. */
const ORIGIN_MS = Date.UTC(2001, 0, 1);

const FIXED: Record<string, number> = {
  "5s": 5000,
  "15s": 15_000,
  "1m": UNIT_MS.m,
  "5m": 5 * UNIT_MS.m,
  "15m": 15 * UNIT_MS.m,
  "1h": UNIT_MS.h,
  "6h": 6 * UNIT_MS.h,
};

/** Buckets by the calendar, with about as long as they are. */
const CALENDAR: Record<string, number> = { day: UNIT_MS.d, week: 7 * UNIT_MS.d, month: 30 * UNIT_MS.d };

const ALL_NAMES = [...Object.keys(FIXED), ...Object.keys(CALENDAR)];
/** The buckets of windows, which are of whole minutes: the shortest first. */
export const BUCKET_NAMES = ALL_NAMES.filter((name) => lengthOf(name) >= UNIT_MS.m);

/** More buckets than these are too much for a chart. */
export const MOST_BUCKETS = 2000;

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export interface BucketPlan {
  name: string;
  /** As the API takes it, with the zone of the calendar. */
  parameter: string;
  /** The starts of all buckets that meet the range, in milliseconds. */
  starts: number[];
}

/** About how long a bucket is. */
export function lengthOf(name: string): number {
  return FIXED[name] ?? CALENDAR[name] ?? UNIT_MS.h;
}

/** The shortest bucket that cuts a range into `most` at most; of whole minutes, unless seconds will do. */
export function autoBucket(from: Date, until: Date, most: number, names = BUCKET_NAMES): string {
  const length = until.getTime() - from.getTime();
  return names.find((name) => length / lengthOf(name) <= most) ?? "month";
}

/** The buckets that are no longer than the range. */
export function bucketNames(from: Date, until: Date): string[] {
  return BUCKET_NAMES.filter((name) => lengthOf(name) <= until.getTime() - from.getTime());
}

interface Limits {
  /** How many buckets there are at most, unless one chooses shorter ones. */
  most?: number;
  /** How many there are at most in any case. */
  limit?: number;
  /** Whether buckets may be of seconds: those of windows are of whole minutes. */
  hasSeconds?: boolean;
}

/** Cuts a range: by the bucket of this name, unless it is longer than the range; or the best one, or a longer one if there would be too many. */
export function planBuckets(from: Date, until: Date, name: string, { most = 120, limit = MOST_BUCKETS, hasSeconds = false }: Limits = {}): BucketPlan {
  const least = autoBucket(from, until, limit);
  const wanted = bucketNames(from, until).includes(name) ? name : autoBucket(from, until, most, hasSeconds ? ALL_NAMES : BUCKET_NAMES);
  const isTooShort = (until.getTime() - from.getTime()) / lengthOf(wanted) > limit;
  const used = isTooShort ? least : wanted;
  const isOfCalendar = used in CALENDAR;
  return {
    name: used,
    parameter: isOfCalendar && ZONE && ZONE !== "Etc/Unknown" ? `${used}@${ZONE}` : used,
    starts: bucketStarts(from.getTime(), until.getTime(), used),
  };
}

/** The starts of the buckets that meet a range. */
export function bucketStarts(from: number, until: number, name: string): number[] {
  const starts: number[] = [];
  for (let start = floorTo(from, name); start < until; start = nextStart(start, name)) starts.push(start);
  return starts;
}

/** The start of the bucket that a time is in. */
export function floorTo(time: number, name: string): number {
  const length = FIXED[name];
  if (length !== undefined) return ORIGIN_MS + Math.floor((time - ORIGIN_MS) / length) * length;
  const date = new Date(time);
  const day = name === "month" ? 1 : name === "week" ? date.getDate() - ((date.getDay() + 6) % 7) : date.getDate();
  return new Date(date.getFullYear(), date.getMonth(), day).getTime();
}

function nextStart(start: number, name: string): number {
  const length = FIXED[name];
  if (length !== undefined) return start + length;
  const date = new Date(start);
  const [months, days] = name === "month" ? [1, 0] : [0, name === "week" ? 7 : 1];
  return new Date(date.getFullYear(), date.getMonth() + months, date.getDate() + days).getTime();
}

/** The range of as many buckets before: it ends where the first bucket starts. */
export function periodBefore({ name, starts }: Pick<BucketPlan, "name" | "starts">): { from: Date; until: Date } {
  const first = starts[0] ?? 0;
  const length = FIXED[name];
  if (length !== undefined) return { from: new Date(first - starts.length * length), until: new Date(first) };
  const date = new Date(first);
  const from =
    name === "month"
      ? new Date(date.getFullYear(), date.getMonth() - starts.length, 1)
      : new Date(date.getFullYear(), date.getMonth(), date.getDate() - starts.length * (name === "week" ? 7 : 1));
  return { from, until: date };
}

/** Groups by the start of their bucket, one for each bucket, or undefined where there is none. */
export function fillBuckets<T extends { start?: string }>(starts: number[], groups: T[]): (T | undefined)[] {
  const byStart = new Map(groups.map((group) => [new Date(group.start ?? NaN).getTime(), group]));
  return starts.map((start) => byStart.get(start));
}
