/** The requests of the range by their status codes: the chart draws them, and a tile has its share of 4xx from them. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { call, read } from "../../api/client";
import { useWindow } from "../../frame/window";
import { planBuckets } from "../../time/buckets";
import type { HistogramBucket } from "./classes";
import { NOT_OUTGOING } from "../requests/outgoing";
import { nameOf } from "./summary";
import type { Searches, StatsRow } from "./summary";

interface Histogram {
  data: HistogramBucket[];
  metadata: { total: number };
}

const MOST_BUCKETS = 90;

export function useHistogram({ requests, traffic }: Searches) {
  const { from, until, asked } = useWindow();
  // Latency windows alone know the endpoints that are searched for.
  const isOfEndpoints = traffic === "metrics";
  const plan = planBuckets(from, until, "auto", { most: MOST_BUCKETS, hasSeconds: true });
  const parameters: [string, string][] = [...requests, NOT_OUTGOING, ["by", "status_code"], ["bucket", plan.parameter], ["timestamp__gte", from.toISOString()], ["timestamp__lt", until.toISOString()]];
  const histogram = useQuery({
    queryKey: ["requests", "histogram", parameters, asked],
    queryFn: ({ signal }) => call<Histogram>("/requests/histogram", { parameters, signal }),
    placeholderData: keepPreviousData,
    enabled: !isOfEndpoints,
  });
  return { histogram, plan, isOfEndpoints };
}

/** How many endpoints are counted. */
const MOST = "200";

/** How many stored requests of each endpoint were refused with 4xx, in the time that its other numbers are of. Latency windows do not count them. */
export function useRefused({ requests, windows }: Searches, { from, until }: { from: Date; until: Date }): Map<string, number> | null {
  const { asked } = useWindow();
  const parameters: [string, string][] = [
    ["measure", "count"],
    ["by", "method,headers.route"],
    ["top", MOST],
    ...requests,
    NOT_OUTGOING,
    ["status_code__gte", "400"],
    ["status_code__lt", "500"],
    ["timestamp__gte", from.toISOString()],
    ["timestamp__lt", until.toISOString()],
  ];
  const { data } = useQuery({
    queryKey: ["requests", "refused", parameters, asked],
    queryFn: ({ signal }) => read<StatsRow[]>("/requests/stats", parameters, signal),
    select: countsByEndpoint,
    placeholderData: keepPreviousData,
    enabled: windows.length === 0 || requests.length > 0,
    retry: false,
  });
  return data ?? null;
}

/** Those whose route nobody noted are of no endpoint of windows. */
function countsByEndpoint(rows: StatsRow[]): Map<string, number> {
  return new Map(rows.filter(({ by }) => by["headers.route"] !== null).map((row) => [nameOf(row), row.of["count"] ?? 0]));
}
