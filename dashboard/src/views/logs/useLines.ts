/** The lines of the list, a page of a thousand at a time. */
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { list } from "../../api/client";
import type { Log, LogHit, PageMetadata } from "../../api/client";
import { copyKey, lineOf, lineOfHit } from "./lines";
import type { Line } from "./lines";
import type { LogsState, Pairs } from "./state";
import { likeCopies } from "./text";
import { useLast } from "../../parts/useLast";

const PAGE = 1000;
/** Hits are less many, and each says why it was found. */
const HITS_PAGE = 200;
/** How far hits are counted. */
const COUNT_TO = 100_000;

const LINES = ["logs", "lines"];

interface Page {
  lines: Line[];
  metadata: PageMetadata;
}

export function useLines(state: LogsState) {
  const { order, isFolded, parameters, asked, isLive, view } = state;
  const isRanked = order === "ranked";
  const isFoldedThere = isRanked && isFolded;
  const client = useQueryClient();
  const answer = useInfiniteQuery({
    queryKey: [...LINES, order, isFoldedThere, isLive, parameters, asked],
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      const asked: Pairs = isRanked
        ? [["hits", "true"], ["fold", String(isFolded)], ["limit", String(HITS_PAGE)], ["total", pageParam === "" ? String(COUNT_TO) : "none"]]
        : [["order_by", "-created_at,-id"], ["limit", String(PAGE)], ["total", "none"]];
      const { data, metadata } = await list<Log | LogHit>("/logs", [...parameters, ...asked, ...(pageParam === "" ? [] : [["after", pageParam] as [string, string]])], signal);
      // Done here for a thousand lines at a time, folding 100,000 of them takes no longer than a frame or two.
      data.forEach(copyKey);
      return { lines: data.map((log) => ("hit" in log ? lineOfHit(log) : lineOf(log))), metadata };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.metadata.next,
    enabled: view === "lines",
    // What is loaded stays as it is; another window is another list. Comparing 100,000 rows would take long.
    staleTime: Infinity,
    structuralSharing: false,
    // A list is large: the one of before is enough to go back to.
    gcTime: 60_000,
  });
  // The rows of before stay while others are awaited, and if they cannot be had.
  const known = useLast(answer.data);
  const pages = known?.pages;
  const lines = useMemo(() => pages?.flatMap((page) => page.lines) ?? [], [pages]);
  return {
    lines,
    metadata: pages?.[0]?.metadata ?? null,
    isStale: answer.data === undefined && known !== undefined,
    isPending: answer.isPending && answer.fetchStatus !== "idle",
    /** Whether the user did not want to wait. */
    isCancelled: answer.isPending && answer.fetchStatus === "idle" && view === "lines",
    cancel: () => void client.cancelQueries({ queryKey: LINES }),
    isMore: answer.hasNextPage,
    isLoadingMore: answer.isFetchingNextPage,
    error: answer.error,
    more: answer.fetchNextPage,
    retry: answer.refetch,
    loadedAt: answer.dataUpdatedAt,
  };
}

/** How many copies of a hit are listed; all of them are a search away. */
export const COPIES = 100;

/** The copies of a hit, the newest first. */
export function useCopies(line: Line | null, { parameters, asked }: LogsState) {
  return useQuery({
    queryKey: ["logs", "copies", line?.id, parameters, asked],
    queryFn: async ({ signal }) => {
      if (!line) return [];
      const { log } = line;
      const kept = parameters.filter(([name]) => name !== "search");
      const same: Pairs = [["message__like", likeCopies(log.message)], ["level", log.level], ["source", log.source]];
      const { data } = await list<Log>("/logs", [...kept, ...same, ["order_by", "-created_at,-id"], ["limit", String(COPIES)], ["total", "none"]], signal);
      return data.filter((one) => one.id !== log.id).map((one): Line => ({ ...lineOf(one), marks: line.marks }));
    },
    enabled: line !== null,
    staleTime: Infinity,
  });
}
