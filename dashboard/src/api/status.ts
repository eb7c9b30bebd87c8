/** The state of the server: whether it takes records in, and what waits. */
import { useQuery } from "@tanstack/react-query";
import { ApiError, read } from "./client";

interface Use {
  used: number;
  limit: number;
}

/** What `GET /api/v1/status` answers, as far as the page shows it. Counts are since the process started. */
export interface Status {
  version: string;
  uptime_seconds: number;
  /** Whether bodies are stored; if not, `problem` says why. */
  is_ready: boolean;
  problem: string | null;
  limits: { body_bytes: Use; ingests: Use; tail_readers: Use; pool_connections: Use };
  refused_bodies: { busy: number; invalid: number };
  /** Null if the process takes no syslog in. */
  syslog: { dropped: number } | null;
  /** Null if another process does it. */
  maintenance: { is_failing: boolean; is_behind: boolean; unsealed_ids: number } | null;
  alert_deliveries: { delivered: number; failed: number };
}

/** How often the state is asked for. */
const EVERY_MS = 30_000;

/** The state of the server: null if it does not tell, undefined until it has answered. */
export function useStatus(): Status | null | undefined {
  const query = useQuery({
    queryKey: ["status"],
    queryFn: async ({ signal }): Promise<Status | null> => {
      try {
        return await read<Status>("/status", {}, signal);
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return null;
        throw error;
      }
    },
    // A server without it is not asked again.
    refetchInterval: ({ state }) => (state.data === null ? false : EVERY_MS),
    staleTime: EVERY_MS,
    retry: false,
  });
  return query.data;
}
