/** Patterns: lines that differ only in numbers and ids, counted together. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { call } from "../../api/client";
import type { Log } from "../../api/client";
import { copyKey } from "./lines";
import type { LogsState, Pairs } from "./state";

export interface Pattern {
  pattern: Record<string, string>;
  count: number;
  count_is_exact: boolean;
  share: number;
  first: string;
  last: string;
  example: Log;
}

export interface PatternsMetadata {
  total: number;
  total_is_exact: boolean;
  records: number;
  records_are_exact: boolean;
}

interface Patterns {
  data: Pattern[];
  metadata: PatternsMetadata;
}

const MOST = 500;

function read(parameters: Pairs, signal: AbortSignal): Promise<Patterns> {
  return call<Patterns>("/logs/patterns", { parameters, signal });
}

export function usePatterns(state: LogsState, isOn = true) {
  return useQuery({
    queryKey: ["logs", "patterns", state.parameters, state.asked],
    queryFn: ({ signal }) => read([...state.parameters, ["limit", String(MOST)]], signal),
    enabled: isOn,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 60_000,
  });
}

/** How many patterns there are. Where they are listed, the list says it. */
export function usePatternCount(state: LogsState): PatternsMetadata | null {
  const isListed = state.view === "patterns";
  const listed = usePatterns(state, isListed);
  const counted = useQuery({
    queryKey: ["logs", "pattern-count", state.parameters, state.asked],
    queryFn: async ({ signal }) => (await read([...state.parameters, ["limit", "0"]], signal)).metadata,
    enabled: !isListed,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
  return (isListed ? listed.data?.metadata : counted.data) ?? null;
}

/** The patterns that the period before did not have. */
export function useNewPatternList(state: LogsState, isOn: boolean) {
  const { from, until, asked, parameters } = state;
  return useQuery({
    queryKey: ["logs", "new-patterns", parameters, asked],
    queryFn: ({ signal }) => {
      const before = new Date(2 * from.getTime() - until.getTime());
      const kept = parameters.filter(([name]) => name !== "created_at__gte");
      return read([...kept, ["created_at__gte", before.toISOString()], ["new_since", from.toISOString()], ["limit", String(MOST)]], signal);
    },
    enabled: isOn && !state.isDeletedShown,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
}

const NOTHING: ReadonlySet<string> = new Set();

/**
 * The keys of the lines whose pattern was not there in the period before. Asked for once, when the lines are there.
 * `total` is the number of all patterns: where nothing was before, all are new, and none needs a mark.
 */
export function useNewPatterns(state: LogsState, total: number | null, isOn: boolean): ReadonlySet<string> {
  const answer = useNewPatternList(state, isOn);
  return useMemo(() => {
    if (!answer.data || total === null || answer.data.metadata.total >= total) return NOTHING;
    return new Set(answer.data.data.map((one) => copyKey(one.example)));
  }, [answer.data, total]);
}
