/** The values of a chart, and how they become the columns that uPlot draws. */
import type uPlot from "uplot";

export interface Series {
  name: string;
  /** A custom property of the style, such as `--error-fill`. */
  colour: string;
  values: (number | null)[];
  dash?: number[];
  /** Bars are stacked, the first on top; lines are not. The kind of the chart decides without it. */
  shape?: "bar" | "line";
  width?: number;
  /** Stands at the end of its line, so that one need not look for it in a legend. */
  endLabel?: string;
  /** What a legend shows while no time is pointed at. */
  summary?: string;
  /** Whether that stands out. */
  isStrong?: boolean;
}

/** The least value that a logarithmic axis shows: latencies are whole milliseconds. */
export const LEAST_LOG = 0.5;

export function isBar(series: Series, kind: "bars" | "lines"): boolean {
  return (series.shape ?? (kind === "bars" ? "bar" : "line")) === "bar";
}

/** The columns to draw: bars as the upper ends of their stack, the highest first, so that each is drawn before those below it. */
export function columns(times: number[], until: number, series: Series[], kind: "bars" | "lines", isLog: boolean): uPlot.AlignedData {
  const drawn = series.map((one, index) => {
    if (isBar(one, kind)) {
      const below = series.slice(index).filter((other) => isBar(other, kind));
      return times.map((_, at) => below.reduce((sum, other) => sum + (other.values[at] ?? 0), 0));
    }
    return isLog ? one.values.map((value) => (value === null ? null : Math.max(value, LEAST_LOG))) : one.values;
  });
  return [middles(times, until).map((time) => time / 1000), ...drawn];
}

/** How much longer than the shortest bucket one may be: months have 28 to 31 days. */
const LONGEST = 1.11;

/** How long a bucket is: the shortest, as some may be left out. */
function usualLength(times: number[], until: number): number {
  const shortest = Math.min(...times.map((time, at) => (times[at + 1] ?? Infinity) - time));
  return Number.isFinite(shortest) ? shortest : until - (times[0] ?? until);
}

/** The bucket that goes on beyond the end of the chart, if there is one: what it counts is a part of it. */
export function unfinished(times: number[], until: number): number | null {
  const last = times.length - 1;
  const length = usualLength(times, until);
  return last >= 0 && (times[last] ?? 0) + length * LEAST_WHOLE > until ? last : null;
}

/** The share of a bucket that is as good as all of it. */
const LEAST_WHOLE = 0.99;

/** The middles of buckets, of which the starts are known, and some may be left out. */
export function middles(times: number[], until: number): number[] {
  const usual = usualLength(times, until);
  return times.map((time, at) => {
    const length = (times[at + 1] ?? Infinity) - time;
    return time + (length <= usual * LONGEST ? length : usual) / 2;
  });
}

/** Points without a neighbour: a line alone would not show them. */
export function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = [];
  for (let at = 0; at < values.length; at++) {
    if (isKnown(values[at]) && !isKnown(values[at - 1]) && !isKnown(values[at + 1])) found.push(at);
  }
  return found;
}

function isKnown(value: number | null | undefined): boolean {
  return value !== null && value !== undefined;
}
