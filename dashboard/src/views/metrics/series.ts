/** Windows as the series of charts. A bucket without windows has no requests, and no latency. */
import type { Series } from "../../parts/Chart";
import { duration, percent } from "../../time/format";
import type { Group } from "./data";

/** What a rate of errors counts. */
export const WHAT_FAILED = "5xx: failures of the server, and requests without an answer. Refusals with 4xx are not counted.";

type Groups = (Group | undefined)[];

/** What a legend says of the whole period. */
export type Summaries = Partial<Record<string, Pick<Series, "summary" | "isStrong">>>;

export function trafficSeries(groups: Groups, before?: Groups, summaries: Summaries = {}): Series[] {
  return [
    { name: "5xx", colour: "--error-fill", values: groups.map((group) => group?.errors ?? 0), ...summaries["5xx"] },
    { name: "others", colour: "--strong-line", values: groups.map((group) => (group ? group.requests - group.errors : 0)), ...summaries["others"] },
    ...(before ? [{ name: "before", colour: "--text", shape: "line" as const, width: 1, dash: BEFORE, values: before.map((group) => group?.requests ?? 0) }] : []),
  ];
}

/** A bucket without requests has no rate of errors. */
const rateOf = (group: Group | undefined): number | null => (group && group.requests > 0 ? group.error_rate : null);

export function errorSeries(groups: Groups, before?: Groups, summaries: Summaries = {}): Series[] {
  return [
    { name: "5xx rate", colour: "--error", shape: "line", width: 1.5, values: groups.map(rateOf), ...summaries["5xx rate"] },
    ...(before ? [{ name: "before", colour: "--text", shape: "line" as const, width: 1, dash: BEFORE, values: before.map(rateOf) }] : []),
  ];
}

/** The dashes of the period before. */
const BEFORE = [6, 4];

/** Percentiles differ by their strokes: colour is for levels and status classes. */
const PERCENTILES = [
  { name: "p50", colour: "--quiet", width: 1.5 },
  { name: "p95", colour: "--text", width: 2 },
  { name: "p99", colour: "--text", width: 1, dash: [2, 2] },
];

export function latencySeries(groups: Groups, before?: Groups, summaries: Summaries = {}): Series[] {
  const of = (some: Groups, name: string) => some.map((group) => group?.percentiles[name] ?? null);
  return [
    ...PERCENTILES.map((one): Series => ({ ...one, shape: "line", endLabel: one.name, values: of(groups, one.name), ...summaries[one.name] })),
    ...(before ? PERCENTILES.map((one): Series => ({ name: `${one.name} before`, colour: "--quiet", shape: "line", width: 1, dash: BEFORE, values: of(before, one.name) })) : []),
  ];
}

export const formatDuration = (value: number): string => (value === 0 ? "0" : duration(value));
export const formatRate = (value: number): string => percent(value);
