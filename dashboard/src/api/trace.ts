/** The records of a trace: requests, calls and log lines, the oldest first. */
import { useQuery } from "@tanstack/react-query";
import { useSettled } from "../parts/useSettled";
import { call } from "./client";
import type { Log, RequestSnapshot } from "./client";

export type TraceEntry = { kind: "request" | "call"; time: string; record: RequestSnapshot } | { kind: "log"; time: string; record: Log };

export interface Trace {
  entries: TraceEntry[];
  isComplete: boolean;
  limit: number;
}

export interface TraceQuery {
  /** Undefined while it is not known. */
  data: Trace | undefined;
  error: Error | null;
  retry: () => void;
}

/** How long a record is open before what belongs to it is asked for: who runs through a list by key asks for none. */
export const SETTLED_MS = 200;

export function useTrace(id: string | null): TraceQuery {
  const settled = useSettled(id, SETTLED_MS);
  const isSettled = settled === id;
  const { data, error, refetch } = useQuery<Trace>({
    queryKey: ["traces", settled],
    queryFn: async ({ signal }) => {
      const answer = await call<{ data: TraceEntry[]; metadata: { is_complete: boolean; limit: number } }>(`/traces/${encodeURIComponent(settled ?? "")}`, { signal });
      return { entries: answer.data, isComplete: answer.metadata.is_complete, limit: answer.metadata.limit };
    },
    enabled: settled !== null && isSettled,
    staleTime: 60_000,
    gcTime: 60_000,
    structuralSharing: false,
  });
  return { data: isSettled ? data : undefined, error: isSettled ? error : null, retry: () => void refetch() };
}
