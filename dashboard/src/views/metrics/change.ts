/** How much something changed from the period before. */
import { count } from "../../time/format";

/** What endpoints are compared by. */
export interface Measures {
  requests: number;
  /** Null without requests: then there is no rate. */
  errorRate: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Change {
  /** `+12 %`, `×3.4`, `+1.2 points`, `new`. */
  text: string;
  /** Whether it is worth a look. */
  isLarge: boolean;
  direction: -1 | 0 | 1;
}

/** A change of a number or a duration, as a share of what it was. */
export function relativeChange(now: number | null, before: number | null): Change | null {
  if (now === null || before === null) return null;
  if (before === 0) return now === 0 ? null : { text: "new", isLarge: true, direction: 1 };
  const ratio = now / before;
  const share = (ratio - 1) * 100;
  if (Math.abs(share) < 0.5) return { text: "±0 %", isLarge: false, direction: 0 };
  const direction = share > 0 ? 1 : -1;
  const isLarge = ratio >= 1.5 || ratio <= 1 / 1.5;
  if (ratio >= 2) return { text: `×${ratio >= 10 ? count(Math.round(ratio)) : ratio.toFixed(1)}`, isLarge, direction };
  return { text: `${share > 0 ? "+" : "−"}${Math.abs(share).toFixed(0)} %`, isLarge, direction };
}

/** A change of a rate between 0 and 1, in points of a percent. */
export function rateChange(now: number | null, before: number | null): Change | null {
  if (now === null || before === null) return null;
  const points = (now - before) * 100;
  if (Math.abs(points) < 0.005) return { text: "±0", isLarge: false, direction: 0 };
  const size = Math.abs(points);
  const digits = size < 0.1 ? 2 : size < 10 ? 1 : 0;
  return { text: `${points > 0 ? "+" : "−"}${size.toFixed(digits)} pt`, isLarge: size >= 1, direction: points > 0 ? 1 : -1 };
}

/** A rate of errors that rises by one point counts as much as a p95 that grows by an eighth. */
const RATE_WEIGHT = 12;
/** Traffic changes by itself: it counts less than what the application does. */
const TRAFFIC_WEIGHT = 0.5;
/** Latencies are whole milliseconds: from 1 ms to 2 ms is hardly a change. */
const LATENCY_FLOOR_MS = 5;
/** What is new or gone counts like a p95 that is 1.7 times as long. */
const NEW_OR_GONE = Math.log(1.7);

/**
 * How much an endpoint changed: the largest of the changes of its latency (p95), its rate of errors
 * and its traffic. What few requests tell counts less.
 */
export function changeScore(now: Measures | null, before: Measures | null): number {
  const requests = Math.max(now?.requests ?? 0, before?.requests ?? 0);
  const certainty = Math.min(1, Math.log10(1 + requests) / 2);
  const rate = Math.abs((now?.errorRate ?? 0) - (before?.errorRate ?? 0)) * RATE_WEIGHT;
  if (!now?.requests || !before?.requests) return requests === 0 ? 0 : Math.max(NEW_OR_GONE, now?.requests ? rate : 0) * certainty;
  const latency = now.p95 === null || before.p95 === null ? 0 : logRatio(now.p95, before.p95, LATENCY_FLOOR_MS);
  const traffic = logRatio(now.requests, before.requests, 1) * TRAFFIC_WEIGHT;
  return Math.max(latency, rate, traffic) * certainty;
}

function logRatio(now: number, before: number, floor: number): number {
  return Math.abs(Math.log((now + floor) / (before + floor)));
}
