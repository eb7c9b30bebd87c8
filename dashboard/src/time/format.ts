/** Times and numbers as they are shown. Times of lists are of the local zone, with milliseconds. */

const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const NOTHING = "–";

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `12:03:16.535`, and the day before it if that is not today. What is no time, such as `infinity`, stays as it is. */
export function clock(text: string, now = new Date()): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const hours = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  if (time.toDateString() === now.toDateString()) return hours;
  return `${(time.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(time)} ${hours}`;
}

const WHOLE_DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });

/** `29 Nov 2026`. */
export function day(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : WHOLE_DAY.format(time);
}

/** What a time says when one points at it: UTC in full, and the local zone by its name. */
export function inFull(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  // The API has microseconds, which a `Date` cuts.
  const utc = text.endsWith("Z") ? text : time.toISOString();
  return `${utc.replace("T", " ").replace("Z", " UTC")}\n${time.toLocaleString()} ${ZONE}`;
}

const UNITS: [unit: Intl.RelativeTimeFormatUnit, seconds: number, most: number][] = [
  ["second", 1, 60],
  ["minute", 60, 60],
  ["hour", 3600, 24],
  ["day", 86_400, Infinity],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { style: "short" });

/** `5 min. ago`. */
export function ago(text: string, now = new Date()): string {
  const seconds = (new Date(text).getTime() - now.getTime()) / 1000;
  if (Number.isNaN(seconds)) return text;
  if (Math.abs(seconds) < 0.5) return "now";
  const found = UNITS.find(([, length, most]) => Math.round(Math.abs(seconds) / length) < most);
  return found ? RELATIVE.format(Math.round(seconds / found[1]), found[0]) : text;
}

/** How old something is; of a range that is over, when it was: `12:03:16`, and its day if that is not today. */
export function age(text: string, now: Date, isRangeOver: boolean): string {
  if (isRangeOver) return clock(text, now).replace(/\.\d{3}$/, "");
  // Clocks differ: nothing that is shown comes from the future.
  return ago(text, new Date(Math.max(now.getTime(), new Date(text).getTime() || 0)));
}

/** Milliseconds: `< 1 ms`, `12 ms`, `3.00 s`, `2 min 5 s`, `3 h 20 min`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NOTHING;
  if (ms < 0) return `-${duration(-ms)}`;
  // Records have whole milliseconds: 0 is less than one.
  if (ms < 0.995) return "< 1 ms";
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${count(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** `12,431`. */
export function count(value: number): string {
  return Number.isFinite(value) ? WHOLE.format(value) : NOTHING;
}

/** `1 request`, `2,431 requests`; `1,000+ requests` where it is a floor. */
export function counted(value: number, one: string, isFloor = false): string {
  return `${count(value)}${isFloor ? "+" : ""} ${one}${value === 1 && !isFloor ? "" : "s"}`;
}

/** `1,234`, `12.4K`: exact as long as it is short. */
export function short(value: number): string {
  return Number.isFinite(value) && Math.abs(value) >= 10_000 ? SHORT.format(value) : count(Math.round(value * 100) / 100);
}

/** A share to the whole percent: `92 %`. */
export function wholePercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `1.3 %` of a share between 0 and 1. What is only near nothing or all does not become it. */
export function percent(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return NOTHING;
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  if (Math.abs(value) < 0.01) return value < 0 ? "> -0.01 %" : "< 0.01 %";
  if (value > 99.9 && value < 100) return "> 99.9 %";
  return `${value.toFixed(Math.abs(value) < 1 ? 2 : 1)} %`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes: `12.4 kB`. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value < 0) return `-${bytes(-value)}`;
  let scaled = value;
  let power = 0;
  while (scaled >= (power === 0 ? 1000 : 999.5) && power < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    power += 1;
  }
  const digits = power === 0 || scaled >= 99.95 ? 0 : scaled < 9.995 ? 2 : 1;
  return `${scaled.toFixed(digits)} ${BYTE_UNITS[power] ?? ""}`;
}
