/** The requests of the view, page by page, and those that arrive while it is live. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { list } from "../../api/client";
import type { RequestSnapshot, Schemas } from "../../api/client";
import { countNew } from "../../api/live";
import { useTail } from "../../api/tail";
import { useReading } from "../../frame/reading";
import { useWindow } from "../../frame/window";
import type { RequestSearch } from "./search";

export type RequestRow = RequestSnapshot & { hit?: Schemas["Hit"] };

const PAGE = "100";
const NOTHING: RequestRow[] = [];

/** `isHeld`: nothing is added at the top, as while one reads a request, or paused. */
export function useRequestList(search: RequestSearch, isHeld: boolean) {
  const { isLive } = useWindow();
  const query = useInfiniteQuery({
    queryKey: ["requests", "list", search.listed, search.listAsked],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => list<RequestRow>("/requests", [...search.listed, ["limit", PAGE], ["total", "none"], ...(pageParam === "" ? [] : [["after", pageParam] as [string, string]])], signal),
    getNextPageParam: ({ metadata }) => metadata.next,
    placeholderData: keepPreviousData,
    // Records have bodies: comparing all of them at each new page takes longer than drawing it.
    structuralSharing: false,
  });
  const stored = useMemo(() => query.data?.pages.flatMap((page) => page.data) ?? NOTHING, [query.data]);
  // What arrives is added while the list is at its top; further down it waits, so that nothing moves.
  const [isAtTop, setAtTop] = useState(true);
  useReading(isHeld || !isAtTop);
  const tail = useTail<RequestRow>("/requests/tail", search.followed ?? [], { isLive: isLive && search.followed !== null, isHeld: isHeld || !isAtTop });
  const { arrived } = tail;
  const known = useMemo(() => new Set(stored.map((row) => row.id)), [stored]);
  const rows = useMemo(() => {
    const added = search.followed === null ? NOTHING : arrived.filter((row) => !known.has(row.id));
    return added.length === 0 ? stored : [...added, ...stored];
  }, [arrived, known, search.followed, stored]);
  const waiting = useMemo(() => (tail.waitingCount === 0 ? 0 : countNew(tail, known)), [known, tail]);
  // Of those that the tail begins with, the list has all: they are nothing new.
  const arrivedId = isLive ? (tail.waiting[0] ?? arrived[0])?.id : undefined;
  const newestId = arrivedId === undefined || known.has(arrivedId) ? null : arrivedId;

  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  return { query, rows, more, tail, waiting, newestId, setAtTop };
}
