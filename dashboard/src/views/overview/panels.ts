/** The lists beside the endpoints: what is new, and what failed. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { list, read } from "../../api/client";
import type { Log, RequestSnapshot } from "../../api/client";
import { useWindow } from "../../frame/window";
import type { Rule } from "../alerts/rule";
import { NOT_OUTGOING } from "../requests/outgoing";
import type { Searches } from "./summary";

/** How many rows a list has. */
export const ROWS = 6;

/** A pattern of log lines, with the newest line of it. */
export interface Pattern {
  count: number;
  count_is_exact: boolean;
  first: string;
  last: string;
  example: Log;
}

interface PatternsMetadata {
  total: number;
  total_is_exact: boolean;
}

/** How many patterns are looked at for the newest, and for the worst: they come the most frequent first. */
const MOST_PATTERNS = "100";
const LEVELS = ["error", "warn", "info", "debug"];

/** Errors first, and then as they come. */
export function sortPatterns(patterns: Pattern[]): Pattern[] {
  return [...patterns].sort((a, b) => LEVELS.indexOf(a.example.level) - LEVELS.indexOf(b.example.level));
}

/** The patterns of the range that the period before does not have: some of them, and their number. */
export function useNewPatterns({ logs }: Searches, isBefore: boolean) {
  const { from, until, asked } = useWindow();
  const length = until.getTime() - from.getTime();
  const back = isBefore ? length : 0;
  const at = (time: Date, by: number) => new Date(time.getTime() - by).toISOString();
  const parameters: [string, string][] = [
    ...logs,
    ["created_at__gte", at(from, back + length)],
    ["created_at__lt", at(until, back)],
    ["new_since", at(from, back)],
    ["limit", isBefore ? "0" : MOST_PATTERNS],
  ];
  return useQuery({
    queryKey: ["logs", "patterns", parameters, asked],
    queryFn: async ({ signal }) => {
      const answer = await list<Pattern>("/logs/patterns", parameters, signal);
      return { patterns: sortPatterns(answer.data).slice(0, ROWS), total: (answer.metadata as unknown as PatternsMetadata).total };
    },
    placeholderData: keepPreviousData,
    retry: false,
  });
}

/** The newest errors, one row for those that differ in numbers and ids only. */
export function useNewestErrors({ logs }: Searches) {
  const { from, until, asked } = useWindow();
  const parameters: [string, string][] = [...logs, ["level", "error"], ["created_at__gte", from.toISOString()], ["created_at__lt", until.toISOString()], ["limit", MOST_PATTERNS]];
  return useQuery({
    queryKey: ["logs", "patterns", parameters, asked],
    queryFn: ({ signal }) => read<Pattern[]>("/logs/patterns", parameters, signal),
    select: (patterns) => [...patterns].sort((a, b) => b.last.localeCompare(a.last)).slice(0, ROWS),
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export function useFailedRequests({ requests }: Searches) {
  const { from, until, asked } = useWindow();
  const parameters: [string, string][] = [
    ...requests,
    NOT_OUTGOING,
    ["status_code__gte", "500"],
    ["timestamp__gte", from.toISOString()],
    ["timestamp__lt", until.toISOString()],
    ["order_by", "-timestamp"],
    ["limit", String(ROWS)],
    ["total", "none"],
  ];
  return useQuery({
    queryKey: ["requests", "list", parameters, asked],
    queryFn: ({ signal }) => read<RequestSnapshot[]>("/requests", parameters, signal),
    placeholderData: keepPreviousData,
  });
}

export type Alert = Rule;

/** The states in which someone has to look, the most urgent first. */
const STATES = ["firing", "pending", "resolving"];

const ALERTS_MS = 15_000;

export function useAlerts() {
  const { now, asked } = useWindow();
  return useQuery({
    queryKey: ["alerts", now.getTime(), asked],
    queryFn: ({ signal }) => read<Rule[]>("/alerts", {}, signal),
    select: sortAlerts,
    placeholderData: keepPreviousData,
    // It says how it is now, whatever the range.
    refetchInterval: ALERTS_MS,
  });
}

/** Firing ones first; those that are not evaluated last. */
export function sortAlerts(alerts: Alert[]): Alert[] {
  const rank = ({ enabled, status }: Alert) => {
    const state = STATES.indexOf(status.state);
    return enabled ? (state >= 0 ? state : status.problem === null ? STATES.length + 1 : STATES.length) : STATES.length + 2;
  };
  return [...alerts].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** Whether nothing at all is stored. One call, as long as there are logs. */
export function useIsStoreEmpty(): boolean {
  const { data } = useQuery({
    queryKey: ["store", "is-empty"],
    queryFn: async ({ signal }) => {
      for (const path of ["/logs", "/requests", "/metrics"]) {
        const found = await read<unknown[]>(path, { limit: 1, total: "none" }, signal);
        if (found.length > 0) return false;
      }
      return true;
    },
    // What is stored once does not go within a visit.
    staleTime: ({ state }) => (state.data === false ? Infinity : 0),
    retry: false,
  });
  return data === true;
}
