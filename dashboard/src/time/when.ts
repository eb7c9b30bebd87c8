/** Times as they are typed: in the local zone, unless the text names one. */

/** A moment, or the day, minute or second that a text names: `until` is where the next one begins. */
export interface Span {
  from: Date;
  until: Date;
}

const RELATIVE = /^([+-])(\d{1,6})\s*(s|m|min|h|d|w)$/i;
const RELATIVE_MS: Record<string, number> = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?`;
const ZONE = String.raw`\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?`;
const DATE_AND_CLOCK = new RegExp(String.raw`^(\d{4})-(\d{2})-(\d{2})(?:[T\s]+${CLOCK}${ZONE})?$`, "i");
const CLOCK_ONLY = new RegExp(String.raw`^(?:(today|yesterday)\s+)?${CLOCK}$`, "i");

/** Whether a text is a time relative to now, such as `-15m`. */
export function isRelative(text: string): boolean {
  return RELATIVE.test(text.trim()) || /^now$/i.test(text.trim());
}

/** Reads a time, or returns null if it is none. */
export function parseWhen(typed: string, now: Date): Span | null {
  const text = typed.trim();
  if (/^now$/i.test(text)) return moment(now);
  const relative = RELATIVE.exec(text);
  if (relative) {
    const ms = Number(relative[2]) * (RELATIVE_MS[(relative[3] ?? "").toLowerCase()] ?? 0);
    return moment(new Date(now.getTime() + (relative[1] === "-" ? -ms : ms)));
  }
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return moment(new Date(Number(text) * 1000));
  if (/^\d{12,14}$/.test(text)) return moment(new Date(Number(text)));
  if (/^(today|yesterday)$/i.test(text)) return day(now.getFullYear(), now.getMonth(), now.getDate() - (/^y/i.test(text) ? 1 : 0));
  const month = /^(\d{4})-(\d{2})$/.exec(text);
  if (month) return monthOf(Number(month[1]), Number(month[2]) - 1);
  const clock = CLOCK_ONLY.exec(text);
  if (clock) {
    const back = clock[1]?.toLowerCase() === "yesterday" ? 1 : 0;
    return at([now.getFullYear(), now.getMonth(), now.getDate() - back], clock.slice(2, 6));
  }
  const parts = DATE_AND_CLOCK.exec(text);
  if (!parts) return null;
  const date: [number, number, number] = [Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])];
  if (!isDate(...date)) return null;
  return parts[4] === undefined ? day(...date) : at(date, parts.slice(4, 8), parts[8]);
}

function moment(time: Date): Span | null {
  return Number.isNaN(time.getTime()) ? null : { from: time, until: time };
}

/** `setFullYear` takes years below 100 as they are, unlike the constructor. */
function local(year: number, month: number, date: number, ...clock: [number?, number?, number?, number?]): Date {
  const time = new Date(2000, 0, 1);
  time.setFullYear(year, month, date);
  time.setHours(clock[0] ?? 0, clock[1] ?? 0, clock[2] ?? 0, clock[3] ?? 0);
  return time;
}

/** A day of the local zone, of 23 or 25 hours when clocks change. */
function day(year: number, month: number, date: number): Span {
  return { from: local(year, month, date), until: local(year, month, date + 1) };
}

function monthOf(year: number, month: number): Span | null {
  return month >= 0 && month < 12 ? { from: local(year, month, 1), until: local(year, month + 1, 1) } : null;
}

function isDate(year: number, month: number, date: number): boolean {
  const time = new Date(Date.UTC(2000, 0, 1));
  time.setUTCFullYear(year, month, date);
  return time.getUTCMonth() === month && time.getUTCDate() === date;
}

function at([year, month, date]: [number, number, number], [h, m, s, fraction]: (string | undefined)[], zone?: string): Span | null {
  const [hours, minutes, seconds] = [Number(h), Number(m), Number(s ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const ms = Math.floor(Number(`0.${fraction ?? 0}`) * 1000);
  const precision = fraction !== undefined ? 1 : s !== undefined ? 1000 : 60_000;
  let from: Date;
  if (zone === undefined) from = local(year, month, date, hours, minutes, seconds, ms);
  else {
    const offset = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
    const minutesOff = offset ? (offset[1] === "-" ? -1 : 1) * (Number(offset[2]) * 60 + Number(offset[3] ?? 0)) : 0;
    from = new Date(Date.UTC(2000, 0, 1, hours, minutes, seconds, ms));
    from.setUTCFullYear(year, month, date);
    from = new Date(from.getTime() - minutesOff * 60_000);
  }
  return { from, until: new Date(from.getTime() + precision) };
}
