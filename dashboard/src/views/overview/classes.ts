/** Requests by the class of their status code. */
import type { Series } from "../../parts/Chart";

export interface HistogramBucket {
  start: string;
  count: number;
  groups: { value: number | string | null; count: number }[];
}

/** The classes, the first on top of the stack: failures are seen at its end. */
const CLASSES = [
  { name: "no answer", colour: "--debug-fill" },
  { name: "5xx", colour: "--error-fill" },
  { name: "4xx", colour: "--warn-fill" },
  { name: "3xx", colour: "--info-fill" },
  { name: "2xx", colour: "--good-fill" },
  { name: "1xx", colour: "--strong-line" },
];

export function classOf(code: number | string | null): string {
  const first = Math.floor(Number(code ?? NaN) / 100);
  return first >= 1 && first <= 5 ? `${first}xx` : "no answer";
}

/** A series for each class that there is, and the sum of each. */
export function classSeries(buckets: (HistogramBucket | undefined)[]): Series[] {
  const counts = new Map<string, number[]>();
  buckets.forEach((bucket, at) => {
    for (const { value, count } of bucket?.groups ?? []) {
      const name = classOf(value);
      const values = counts.get(name) ?? new Array<number>(buckets.length).fill(0);
      values[at] = (values[at] ?? 0) + count;
      counts.set(name, values);
    }
  });
  return CLASSES.flatMap(({ name, colour }) => {
    const values = counts.get(name);
    return values ? [{ name, colour, values, summary: values.reduce((sum, one) => sum + one, 0).toLocaleString("en") }] : [];
  });
}

/** The share of the requests that are of a class; null where there are none. */
export function shareOfClass(buckets: HistogramBucket[], name: string): number | null {
  let [all, ofClass] = [0, 0];
  for (const { value, count } of buckets.flatMap(({ groups }) => groups)) {
    all += count;
    if (classOf(value) === name) ofClass += count;
  }
  return all === 0 ? null : ofClass / all;
}
