/** Endpoints with what they did in a period and in the one before, and their orders. */
import { changeScore } from "./change";
import type { Measures } from "./change";
import type { Aggregate, Group, Totals } from "./data";

export interface EndpointRow {
  endpoint: string;
  now: Measures | null;
  before: Measures | null;
}

export function measuresOf({ requests, error_rate, percentiles }: Totals | Group): Measures {
  return { requests, errorRate: requests === 0 ? null : error_rate, p50: percentiles["p50"] ?? null, p95: percentiles["p95"] ?? null, p99: percentiles["p99"] ?? null };
}

/** The endpoints of a period, and those that were only in the one before. */
export function endpointRows({ groups, previous }: Pick<Aggregate, "groups" | "previous">): EndpointRow[] {
  const before = new Map((previous?.groups ?? []).map((group) => [group.endpoint ?? "", measuresOf(group)]));
  const rows: EndpointRow[] = groups.map((group) => {
    const endpoint = group.endpoint ?? "";
    return { endpoint, now: measuresOf(group), before: before.get(endpoint) ?? null };
  });
  const known = new Set(rows.map(({ endpoint }) => endpoint));
  const gone = [...before].filter(([endpoint]) => !known.has(endpoint)).map(([endpoint, measures]): EndpointRow => ({ endpoint, now: null, before: measures }));
  return [...rows, ...gone];
}

export const SORTS = { changed: "Most changed", slowest: "Slowest", failing: "Most failing", busiest: "Busiest" } as const;
export type Sort = keyof typeof SORTS;

export function isSort(text: string): text is Sort {
  return text in SORTS;
}

/** How far in front an endpoint stands in an order. */
const KEYS: Record<Sort, (row: EndpointRow) => number> = {
  changed: ({ now, before }) => changeScore(now, before),
  slowest: ({ now }) => now?.p95 ?? -1,
  failing: ({ now }) => now?.errorRate ?? -1,
  busiest: ({ now }) => now?.requests ?? -1,
};

/** The rows in an order; those that are equal in it by their requests, and by their names. */
export function sortEndpoints(rows: EndpointRow[], sort: Sort): EndpointRow[] {
  const keyed = rows.map((row) => ({ row, key: KEYS[sort](row) }));
  keyed.sort((a, b) => b.key - a.key || KEYS.busiest(b.row) - KEYS.busiest(a.row) || a.row.endpoint.localeCompare(b.row.endpoint));
  return keyed.map(({ row }) => row);
}
