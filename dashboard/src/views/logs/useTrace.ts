/** What belongs to a trace: its lines, and its requests. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { call } from "../../api/client";
import type { Log, RequestSnapshot } from "../../api/client";

type Entry = { kind: "request" | "call"; record: RequestSnapshot } | { kind: "log"; record: Log };

const MOST = 1000;
/** How long a line is open before its trace is asked for: who runs through the list by key asks for none. */
const SETTLED_MS = 200;

export interface Trace {
  lines: Log[] | null;
  requests: RequestSnapshot[];
  isComplete: boolean;
  error: Error | null;
  retry: () => void;
}

export function useSettled<T>(value: T, ms = SETTLED_MS): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [ms, value]);
  return settled;
}

export function useTrace(id: string | null): Trace {
  const settled = useSettled(id);
  const answer = useQuery({
    queryKey: ["trace", settled],
    queryFn: ({ signal }) => call<{ data: Entry[]; metadata: { is_complete: boolean } }>(`/traces/${encodeURIComponent(settled ?? "")}`, { parameters: { limit: MOST }, signal }),
    enabled: settled !== null && settled === id,
    staleTime: 60_000,
    gcTime: 60_000,
    structuralSharing: false,
  });
  const data = settled === id ? answer.data?.data : undefined;
  return {
    lines: data?.flatMap((entry) => (entry.kind === "log" ? [entry.record] : [])) ?? null,
    requests: data?.flatMap((entry) => (entry.kind === "request" ? [entry.record] : [])) ?? [],
    isComplete: answer.data?.metadata.is_complete ?? true,
    error: answer.error,
    retry: () => void answer.refetch(),
  };
}
