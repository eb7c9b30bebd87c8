/** Waits for a record: asks every two seconds for the newest of each kind. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { list } from "../../api/client";
import type { Log, Metric, RequestSnapshot } from "../../api/client";

const EVERY_MS = 2000;

/** The newest records. */
interface Newest {
  log: Log | null;
  request: RequestSnapshot | null;
  metric: Metric | null;
}

/** What has arrived since the view was opened. */
export interface Arrival {
  wasEmpty: boolean;
  newest: Newest;
  hasArrived: boolean;
}

export function useArrival() {
  const [first, setFirst] = useState<Newest | null>(null);
  const query = useQuery({
    queryKey: ["first-run"],
    queryFn: async ({ signal }): Promise<Newest> => {
      const newest = async <T,>(path: string) => (await list<T>(path, { order_by: "-id", limit: 1, total: "none" }, signal)).data[0] ?? null;
      const [log, request, metric] = await Promise.all([newest<Log>("/logs"), newest<RequestSnapshot>("/requests"), newest<Metric>("/metrics")]);
      return { log, request, metric };
    },
    refetchInterval: EVERY_MS,
    staleTime: 0,
    gcTime: 0,
  });
  if (first === null && query.data) setFirst(query.data);
  const arrival: Arrival | null = first && query.data ? arrived(first, query.data) : null;
  return { query, arrival };
}

export function arrived(first: Newest, newest: Newest): Arrival {
  const isNew = (before: { id: number } | null, now: { id: number } | null) => now !== null && now.id > (before?.id ?? 0);
  return {
    wasEmpty: first.log === null && first.request === null && first.metric === null,
    newest,
    hasArrived: isNew(first.log, newest.log) || isNew(first.request, newest.request) || isNew(first.metric, newest.metric),
  };
}
