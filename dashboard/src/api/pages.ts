/** A list of the API in pages: the first of them, and more when they are asked for. */
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { list } from "./client";
import type { Answer, Parameters } from "./client";

interface Options {
  isEnabled?: boolean;
  /** How often it asks again, in milliseconds, as long as one page is all that is shown: it does not change below one's eyes further down. */
  every?: number;
}

export function usePages<T>(path: string, parameters: Parameters, { isEnabled = true, every }: Options = {}) {
  const pairs = (Array.isArray(parameters) ? parameters : Object.entries(parameters)).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const query = useInfiniteQuery({
    queryKey: [path.slice(1), "pages", pairs],
    queryFn: ({ pageParam, signal }) => list<T>(path, pageParam === null ? pairs : [...pairs, ["after", pageParam]], signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last: Answer<T[]>) => last.metadata.next ?? null,
    placeholderData: keepPreviousData,
    enabled: isEnabled,
    ...(every === undefined ? {} : { refetchInterval: ({ state }: { state: { data?: { pages: unknown[] } | undefined } }) => ((state.data?.pages.length ?? 0) > 1 ? false : every) }),
  });
  return {
    query,
    rows: query.data?.pages.flatMap((page) => page.data) ?? [],
    total: query.data?.pages[0]?.metadata.total ?? null,
    /** Whether the rows are those of other parameters, while others are loaded. */
    isOld: query.isPlaceholderData,
  };
}
