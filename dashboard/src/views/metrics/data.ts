/** What the views of latency windows ask for. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { read } from "../../api/client";
import type { Schemas } from "../../api/client";
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { parse } from "../../query/parse";
import { deploys } from "./deploys";
import type { Deploy, VersionRow } from "./deploys";
import { windowPeriod } from "./period";
import type { WindowPeriod } from "./period";

/** The minutes of the range that windows tell of. */
export function useWindowPeriod(): WindowPeriod {
  const { range, from, until, now } = useWindow();
  return useMemo(() => windowPeriod(range, from, until, now), [range, from, until, now]);
}

export type Totals = Schemas["WindowTotals"];
export type Group = Schemas["WindowGroup"];

interface Period {
  from: string;
  until: string;
  total: Totals;
  groups: Group[];
}
export interface Aggregate extends Period {
  previous?: Period;
}

interface Asked {
  /** As the window has it. */
  asked: number;
  from: Date;
  until: Date;
  filters: [string, string][];
  bucket?: string;
  byEndpoint?: boolean;
  compare?: boolean;
  latency?: boolean;
}

/** The call that adds up windows, as options of a query. */
export function aggregateQuery({ asked, from, until, filters, bucket, byEndpoint = false, compare = false, latency = false }: Asked) {
  const parameters: [string, string][] = [
    ["from", from.toISOString()],
    ["until", until.toISOString()],
    ...(bucket === undefined ? [] : [["bucket", bucket] as [string, string]]),
    ...(byEndpoint ? [["by", "endpoint"] as [string, string]] : []),
    ...(compare ? [["compare", "previous"] as [string, string]] : []),
    ...(latency ? [["latency", "true"] as [string, string]] : []),
    ...filters,
  ];
  return {
    queryKey: ["windows", parameters, asked],
    queryFn: ({ signal }: { signal: AbortSignal }) => read<Aggregate>("/metrics/aggregate", parameters, signal),
    placeholderData: keepPreviousData,
    // To compare thousands of groups with those before takes longer than to draw them.
    structuralSharing: false,
  };
}

/** The search as filters of windows: words look in the names of endpoints. */
export function windowFilters(text: string): [string, string][] {
  const { filters, words } = parse(text, "metrics");
  return words === "" ? filters : [...filters, ["endpoint__icontains", words.replaceAll('"', "")]];
}

export function useWindowFilters(): [string, string][] {
  return windowFilters(useParam("q")[0]);
}

/**
 * The first minute of the range, and of as long before it, that has a window of any endpoint; null where none has one,
 * and undefined until it is known. What is before the first window was not counted: it is no time without requests.
 */
export function useFirstWindow(isAsked = true): Date | null | undefined {
  const { asked } = useWindow();
  const { from, until } = useWindowPeriod();
  const before = new Date(2 * from.getTime() - until.getTime());
  const parameters: [string, string][] = [
    ["window_start__gte", before.toISOString()],
    ["window_start__lt", until.toISOString()],
    ["order_by", "window_start"],
    ["limit", "1"],
    ["total", "none"],
  ];
  const { data, isError } = useQuery({
    queryKey: ["windows", "first", parameters, asked],
    queryFn: ({ signal }) => read<{ window_start: string }[]>("/metrics", parameters, signal),
    placeholderData: keepPreviousData,
    enabled: isAsked,
    retry: false,
  });
  const start = data?.[0]?.window_start;
  return useMemo(() => (start !== undefined ? new Date(start) : data !== undefined || isError ? null : undefined), [data, isError, start]);
}

/** Endpoints as the value of `endpoint__in`. */
export function listOf(endpoints: string[]): string {
  return endpoints.map((endpoint) => `"${endpoint.replace(/["\\]/g, "\\$&")}"`).join(",");
}

const NO_DEPLOYS: Deploy[] = [];
/** Versions are looked for again when the range has moved by this share of its length. */
const STEP = 1 / 60;

/** The versions first seen in the range. Without an answer there are none: they are marks, and no more. */
export function useDeploys(): Deploy[] {
  const { from, until, asked } = useWindow();
  const length = until.getTime() - from.getTime();
  const step = Math.max(length * STEP, 1);
  const end = Math.ceil(until.getTime() / step) * step;
  const start = new Date(end - 2 * length).toISOString();
  const { data } = useQuery({
    queryKey: ["versions", start, length, asked],
    queryFn: ({ signal }) =>
      read<VersionRow[]>("/requests/stats", [["measure", "count,timestamp__min"], ["by", "version"], ["timestamp__gte", start], ["timestamp__lt", new Date(end).toISOString()]], signal),
    select: (rows) => deploys(rows, from.getTime()),
    placeholderData: keepPreviousData,
    retry: false,
  });
  return data ?? NO_DEPLOYS;
}
