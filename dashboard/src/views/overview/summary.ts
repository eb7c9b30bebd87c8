/** What the API did in the range and in the period before: by windows, or by requests where windows cannot tell. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { read } from "../../api/client";
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { parse } from "../../query/parse";
import type { Model } from "../../query/parse";
import { NO_ROUTE } from "../../query/route";
import { aggregateQuery, useFirstWindow, useWindowPeriod } from "../metrics/data";
import { endpointRows, measuresOf } from "../metrics/endpoints";
import type { EndpointRow } from "../metrics/endpoints";
import { coveredPart } from "../metrics/period";
import type { Measures } from "../metrics/change";
import { NOT_OUTGOING } from "../requests/outgoing";

type Pairs = [string, string][];

/** The filters of a search that records of a model have no field for. That calls which the application sent are no traffic of it is so anyway. */
export function notUsedBy(text: string, model: Model): string {
  return parse(text, model)
    .terms.filter((term) => term.isOfAnotherModel)
    .map(({ start, end }) => text.slice(start, end))
    .filter((term) => parse(term, "requests").filters.every((pair) => !isNotOutgoing(pair)))
    .join(" ");
}

function isNotOutgoing([name, value]: [string, string]): boolean {
  return name === NOT_OUTGOING[0] && value === NOT_OUTGOING[1];
}

export interface Searches {
  text: string;
  /** What counts traffic by this search: requests, unless windows alone have its fields. */
  traffic: "requests" | "metrics";
  /** Filters of windows, of requests with words, and of logs with words. */
  windows: Pairs;
  requests: Pairs;
  logs: Pairs;
}

export function useSearches(): Searches {
  const [text] = useParam("q");
  return useMemo(() => {
    const of = (model: "requests" | "logs"): Pairs => {
      const { filters: all, words } = parse(text, model);
      // What each call of the overview says anyway is no search: links back to it bring it along.
      const filters = all.filter((pair) => !isNotOutgoing(pair));
      return words === "" ? filters : [...filters, ["match", words]];
    };
    const windows = parse(text, "metrics").filters;
    const requests = of("requests");
    return { text, traffic: windows.length > 0 && requests.length === 0 ? "metrics" : "requests", windows, requests, logs: of("logs") };
  }, [text]);
}

type Covered = ReturnType<typeof coveredPart>;

export interface Summary {
  source: "windows" | "requests";
  /** The time that it counts. */
  period: { from: Date; until: Date };
  /** The end of what it counts, if the range goes on. */
  until: Date | null;
  now: Measures | null;
  before: Measures | null;
  /** How long the time is that was counted, of the range and of the period before; null until it is known. */
  counted: { now: Covered; before: Covered } | null;
  rows: EndpointRow[];
  isPending: boolean;
  /** Whether what is shown is of another range or search, and the new one is on its way. */
  isOld: boolean;
  error: Error | null;
  retry: () => void;
}

export function useSummary({ windows, requests }: Searches): Summary {
  const { from, until, asked } = useWindow();
  const isByRequests = requests.length > 0;
  const period = useWindowPeriod();
  const byWindows = useQuery({ ...aggregateQuery({ asked, from: period.from, until: period.until, filters: windows, byEndpoint: true, compare: true }), enabled: !isByRequests });
  const hasWindows = byWindows.data !== undefined && byWindows.data.total.requests + (byWindows.data.previous?.total.requests ?? 0) > 0;
  const usesRequests = isByRequests || (byWindows.data !== undefined && !hasWindows && windows.length === 0);
  const length = until.getTime() - from.getTime();
  const firstWindow = useFirstWindow(!isByRequests);
  const firstRequest = useFirstRequest(from, until, usesRequests);
  const first = usesRequests ? firstRequest : firstWindow;
  const isNow = useQuery({ ...requestsQuery(from, until, requests, asked), enabled: usesRequests });
  const wasBefore = useQuery({ ...requestsQuery(new Date(from.getTime() - length), from, requests, asked), enabled: usesRequests });
  return useMemo(() => {
    const counted = (from: Date, until: Date) =>
      first === undefined ? null : { now: coveredPart(from, until, first), before: coveredPart(new Date(2 * from.getTime() - until.getTime()), from, first) };
    if (usesRequests) {
      const was = new Map((wasBefore.data?.rows ?? []).map(({ endpoint, measures }) => [endpoint, measures]));
      return {
        source: "requests" as const,
        period: { from, until },
        counted: counted(from, until),
        until: null,
        now: isNow.data?.total ?? null,
        before: wasBefore.data && wasBefore.data.total.requests > 0 ? wasBefore.data.total : null,
        rows: (isNow.data?.rows ?? []).map(({ endpoint, measures }) => ({ endpoint, now: measures, before: was.get(endpoint) ?? null })),
        isPending: isNow.isPending,
        isOld: isNow.isPlaceholderData,
        error: isNow.error,
        retry: () => void isNow.refetch(),
      };
    }
    const { data } = byWindows;
    return {
      source: "windows" as const,
      period,
      counted: counted(period.from, period.until),
      until: period.isCut ? period.until : null,
      now: data ? measuresOf(data.total) : null,
      before: data?.previous && data.previous.total.requests > 0 ? measuresOf(data.previous.total) : null,
      rows: data ? endpointRows(data) : [],
      isPending: byWindows.isPending,
      isOld: byWindows.isPlaceholderData,
      error: byWindows.error,
      retry: () => void byWindows.refetch(),
    };
  }, [byWindows, first, from, isNow, period, until, usesRequests, wasBefore.data]);
}

/** The first request that is stored in the range, or as long before it: as `useFirstWindow`. */
function useFirstRequest(from: Date, until: Date, isAsked: boolean): Date | null | undefined {
  const { asked } = useWindow();
  const before = new Date(2 * from.getTime() - until.getTime());
  const parameters: Pairs = [["measure", "timestamp__min"], NOT_OUTGOING, ["timestamp__gte", before.toISOString()], ["timestamp__lt", until.toISOString()]];
  const { data, isError } = useQuery({
    queryKey: ["requests", "first", parameters, asked],
    queryFn: ({ signal }) => read<{ of: { timestamp__min: string | null } }[]>("/requests/stats", parameters, signal),
    placeholderData: keepPreviousData,
    enabled: isAsked,
    retry: false,
  });
  const start = data?.[0]?.of.timestamp__min ?? null;
  return useMemo(() => (start !== null ? new Date(start) : data !== undefined || isError ? null : undefined), [data, isError, start]);
}

export interface StatsRow {
  by: Record<string, string | number | null>;
  of: Record<string, number | null>;
}

const MEASURES = "count,duration__p50,duration__p95,duration__p99";
/** How many endpoints are compared. */
const MOST = "200";

/** Requests counted as windows are: all of them, and by endpoint. */
function requestsQuery(from: Date, until: Date, filters: Pairs, asked: number) {
  const shared: Pairs = [...filters, NOT_OUTGOING, ["timestamp__gte", from.toISOString()], ["timestamp__lt", until.toISOString()]];
  return {
    queryKey: ["requests", "summary", shared, asked],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }: { signal: AbortSignal }) => {
      const stats = (more: Pairs) => read<StatsRow[]>("/requests/stats", [...more, ...shared], signal);
      const failed: [string, string] = ["status_code__gte", "500"];
      const grouped = (by: string) => Promise.all([stats([["measure", MEASURES], ["by", by], ["top", MOST]]), stats([["measure", "count"], ["by", by], ["top", MOST], failed])]);
      const [total, failures, byRoute] = await Promise.all([stats([["measure", MEASURES]]), stats([["measure", "count"], failed]), grouped("method,headers.route")]);
      // Requests of access logs have a path, and no route.
      const hasRoutes = byRoute[0].some(({ by }) => by["headers.route"] !== null);
      const [byEndpoint, failuresByEndpoint] = hasRoutes ? byRoute : await grouped("method,path");
      const failedBy = new Map(failuresByEndpoint.map((row) => [nameOf(row), row.of["count"] ?? 0]));
      return {
        total: measuresOfStats(total[0], failures[0]?.of["count"] ?? 0),
        rows: byEndpoint.map((row) => ({ endpoint: nameOf(row), measures: measuresOfStats(row, failedBy.get(nameOf(row)) ?? 0) })),
      };
    },
  };
}

export function nameOf({ by }: StatsRow): string {
  return `${by["method"] ?? "?"} ${by["headers.route"] ?? by["path"] ?? NO_ROUTE}`;
}

function measuresOfStats(row: StatsRow | undefined, errors: number): Measures {
  const requests = row?.of["count"] ?? 0;
  const of = (name: string) => row?.of[`duration__${name}`] ?? null;
  return { requests, errorRate: requests === 0 ? null : errors / requests, p50: of("p50"), p95: of("p95"), p99: of("p99") };
}
