/** Counts of the records of a model, as facets show them. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { read } from "../api/client";
import type { Model } from "../query/parse";
import type { Value } from "../query/picked";

interface Group {
  by: Record<string, Value>;
  of: { count: number };
}

/** Facets that restrict counts by the same share an answer. */
export function useCounts(model: Model, parameters: [name: string, value: string][], asked: number, isOn = true) {
  return useQuery({
    queryKey: [model, "facet", parameters, asked],
    queryFn: ({ signal }) => read<Group[]>(`/${model}/stats`, parameters, signal),
    enabled: isOn,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
}
