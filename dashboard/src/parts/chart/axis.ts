/** The labels and steps of the axes of a chart. */

const MINUTE_S = 60;
const DAY_S = 86_400;
const MONTH_S = 28 * DAY_S;
const YEAR_S = 365 * DAY_S;

/** The room of a label with a clock, and that of one with seconds, in pixels. */
const CLOCK_ROOM = 60;
const SECONDS_ROOM = 84;
/** Axes as long as this, in seconds, may have seconds. */
const SHORT_S = 20 * MINUTE_S;

const two = (value: number): string => String(value).padStart(2, "0");
const MONTHS = Array.from({ length: 12 }, (_, month) => new Intl.DateTimeFormat("en", { month: "short" }).format(new Date(2001, month, 1)));

/** How far apart labels of time are at least. */
export function timeRoom(from: number, until: number): number {
  return until - from < SHORT_S ? SECONDS_ROOM : CLOCK_ROOM;
}

/** Labels in one line: clocks of 24 hours, with the day where it begins, and at the first where that is not today. */
export function timeLabels(ticks: number[], step: number, now: Date): string[] {
  let before: Date | null = step < DAY_S ? now : null;
  return ticks.map((tick) => {
    const time = new Date(tick * 1000);
    const label = labelOf(time, step, before, now);
    before = time;
    return label;
  });
}

function labelOf(time: Date, step: number, before: Date | null, now: Date): string {
  const year = time.getFullYear();
  const isOtherYear = year !== (before ?? now).getFullYear();
  if (step >= YEAR_S) return String(year);
  const month = MONTHS[time.getMonth()] ?? "";
  if (step >= MONTH_S) return isOtherYear ? `${month} ${year}` : month;
  const day = `${time.getDate()} ${month}${isOtherYear ? ` ${year}` : ""}`;
  if (step >= DAY_S) return day;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}${step < MINUTE_S ? `:${two(time.getSeconds())}` : ""}`;
  if (before?.toDateString() === time.toDateString()) return clock;
  // Midnight is where the day begins.
  return time.getHours() + time.getMinutes() + time.getSeconds() === 0 ? day : `${day} ${clock}`;
}

/** Steps of an axis of values; those between whole numbers only where there are any. */
export function valueSteps(isWhole: boolean): number[] {
  const steps = Array.from({ length: isWhole ? 16 : 22 }, (_, index) => index - (isWhole ? 0 : 6));
  return steps.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
}

/** Whether all values are whole numbers: nothing is between them. */
export function areWhole(series: { values: (number | null)[] }[]): boolean {
  return series.every(({ values }) => values.every((value) => value === null || Number.isInteger(value)));
}
