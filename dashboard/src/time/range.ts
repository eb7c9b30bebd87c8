/**
 * The range of time that a view shows. In the address it is `1h`, `7d` (until now: relative ones stay
 * relative), or `2026-11-29T10:00:00Z..2026-11-29T11:00:00Z`.
 */
export type Range = { kind: "last"; amount: number; unit: Unit } | { kind: "between"; from: Date; until: Date };
export type Unit = "m" | "h" | "d";

export const UNIT_MS: Record<Unit, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
export const UNIT_NAMES: Record<Unit, string> = { m: "minute", h: "hour", d: "day" };

export const DEFAULT_RANGE = "1h";
export const COMMON_RANGES = ["5m", "15m", "1h", "6h", "1d", "7d", "30d"];

/** The longest range: a hundred years. */
const LONGEST_MS = 36_525 * UNIT_MS.d;

/** Reads a range, or returns null if it is none. */
export function parseRange(text: string): Range | null {
  const last = /^(\d{1,5})([mhd])$/.exec(text.trim());
  if (last) {
    const amount = Number(last[1]);
    const unit = last[2] as Unit;
    return amount > 0 && amount * UNIT_MS[unit] <= LONGEST_MS ? { kind: "last", amount, unit } : null;
  }
  const parts = text.split("..");
  if (parts.length !== 2 || !parts.every((part) => MOMENT.test(part))) return null;
  const [from = new Date(NaN), until = new Date(NaN)] = parts.map((part) => new Date(part));
  const length = until.getTime() - from.getTime();
  return length > 0 && length <= LONGEST_MS ? { kind: "between", from, until } : null;
}

/** A moment with its zone, of a year of four digits. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** Writes a range as it stands in the address. */
export function formatRange(range: Range): string {
  return range.kind === "last" ? `${range.amount}${range.unit}` : `${range.from.toISOString()}..${range.until.toISOString()}`;
}

/** The two ends of a range, as of `now`. */
export function resolve(range: Range, now: Date): { from: Date; until: Date } {
  if (range.kind === "between") return { from: range.from, until: range.until };
  return { from: new Date(now.getTime() - range.amount * UNIT_MS[range.unit]), until: now };
}

/** The range of the same length before (`-1`) or after (`1`). */
export function shift(range: Range, by: -1 | 1, now: Date): Range {
  const { from, until } = resolve(range, now);
  const length = until.getTime() - from.getTime();
  if (from.getTime() + by * length < FIRST_MS || until.getTime() + by * length > LAST_MS) return range;
  return { kind: "between", from: new Date(from.getTime() + by * length), until: new Date(until.getTime() + by * length) };
}

/** The times that a range can have at all. */
const FIRST_MS = Date.UTC(1, 0, 1);
const LAST_MS = Date.UTC(9999, 0, 1);

/** The range around it, twice as long or the next common one; it does not go beyond now. */
export function zoomOut(range: Range, now: Date): Range {
  if (range.kind === "last") {
    const length = range.amount * UNIT_MS[range.unit];
    const next = COMMON_RANGES.map(parseRange).find((one) => one?.kind === "last" && one.amount * UNIT_MS[one.unit] > length);
    if (next) return next;
    return length * 2 <= LONGEST_MS ? { ...range, amount: range.amount * 2 } : range;
  }
  return grow(range, (range.until.getTime() - range.from.getTime()) / 2, now);
}

/** The range with `by` milliseconds more on both sides; what would be beyond now is before it instead. */
export function grow(range: Extract<Range, { kind: "between" }>, by: number, now: Date): Range {
  const length = range.until.getTime() - range.from.getTime();
  if (length + 2 * by > LONGEST_MS) return range;
  const beyond = Math.max(0, range.until.getTime() + by - Math.max(now.getTime(), range.until.getTime()));
  const from = Math.max(FIRST_MS, range.from.getTime() - by - beyond);
  const until = Math.min(LAST_MS, range.until.getTime() + by - beyond);
  return { kind: "between", from: new Date(Math.round(from)), until: new Date(Math.round(until)) };
}

/** What a range is compared with: as long, just before it. */
export function namePrevious(range: Range, now: Date, locale?: string): string {
  if (range.kind === "last") return range.amount === 1 ? `the ${UNIT_NAMES[range.unit]} before` : `the ${range.amount} ${UNIT_NAMES[range.unit]}s before`;
  return nameRange(shift(range, -1, now), locale);
}

const BUCKETS: [text: string, ms: number][] = [
  ["1s", 1000],
  ["5s", 5000],
  ["10s", 10_000],
  ["30s", 30_000],
  ["1m", 60_000],
  ["5m", 300_000],
  ["10m", 600_000],
  ["15m", 900_000],
  ["30m", 1_800_000],
  ["1h", 3_600_000],
  ["3h", 10_800_000],
  ["6h", 21_600_000],
  ["12h", 43_200_000],
  ["1d", 86_400_000],
  ["7d", 604_800_000],
  ["30d", 2_592_000_000],
];

/** The finest bucket that cuts a range into `most` at most, as a parameter and in milliseconds. */
export function bucketFor(from: Date, until: Date, most = 80, finest = 0): { text: string; ms: number } {
  const length = until.getTime() - from.getTime();
  const found = BUCKETS.find(([, ms]) => ms >= finest && length / ms <= most) ?? ["365d", 365 * UNIT_MS.d];
  return { text: found[0], ms: found[1] };
}

/** A range within a sentence: `the last hour`, `29 Nov 10:00 – 11:00`. */
export function rangeInWords(range: Range): string {
  const name = nameRange(range);
  return range.kind === "last" ? `the ${name[0]?.toLowerCase() ?? ""}${name.slice(1)}` : name;
}

/** How a range is called: `Last hour`, `29 Nov 10:00 – 11:00`. */
export function nameRange(range: Range, locale?: string): string {
  if (range.kind === "last") {
    const unit = UNIT_NAMES[range.unit];
    return range.amount === 1 ? `Last ${unit}` : `Last ${range.amount} ${unit}s`;
  }
  const format = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return format.formatRange(range.from, range.until);
}
