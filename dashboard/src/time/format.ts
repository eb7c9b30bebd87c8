/** Times and numbers as they are shown. Times of lists are of the local zone, with milliseconds. */

const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `12:03:16.535`, and the day before it if that is not today. */
export function clock(text: string, now = new Date()): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const hours = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return time.toDateString() === now.toDateString() ? hours : `${DAY.format(time)} ${hours}`;
}

const WHOLE_DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });

/** `29 Nov 2026`. */
export function day(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? text : WHOLE_DAY.format(time);
}

/** What a time says when one points at it: UTC, and the local zone by its name. */
export function inFull(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  return `${time.toISOString().replace("T", " ").replace("Z", " UTC")}\n${time.toLocaleString()} ${ZONE}`;
}

const AGO: [limit: number, unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [Infinity, "day", 86_400],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { style: "short" });

/** `5 min. ago`. */
export function ago(text: string, now = new Date()): string {
  const seconds = (new Date(text).getTime() - now.getTime()) / 1000;
  if (Number.isNaN(seconds)) return text;
  const found = AGO.find(([limit]) => Math.abs(seconds) < limit);
  return found ? RELATIVE.format(Math.round(seconds / found[2]), found[1]) : text;
}

/** Milliseconds: `12 ms`, `3.00 s`, `2 min 5 s`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** `12,431`. */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** `12.4K`. */
export function short(value: number): string {
  return SHORT.format(value);
}

/** `1.3 %` of a share between 0 and 1. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return "0 %";
  return value < 0.01 ? "< 0.01 %" : `${value.toFixed(value < 1 ? 2 : 1)} %`;
}

/** Bytes: `12.4 kB`. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(Math.floor(Math.log10(value) / 3), units.length);
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${units[power - 1] ?? ""}`;
}
